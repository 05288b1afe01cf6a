"""Messages that update weights from one step to the next."""

import numpy as np
import pytest
import zipnn_rs
from conftest import weights


def model(seed=0):
    """Return the weights of a model."""
    return {
        "layer": np.frombuffer(weights(400_000, "float32", seed), np.float32)
        .reshape(500, 200)
        .copy(),
        "bias": np.frombuffer(weights(4_000, "float16", seed), np.float16).copy(),
        "steps": np.arange(10),
    }


def trained(before):
    """Return the weights after a step, in which some tensors do not change."""
    after = {name: tensor.copy() for name, tensor in before.items()}
    after["layer"][100:200] *= np.float32(1 + 1e-6)
    after["steps"] += 1
    return after


def message(before, after, step=1, **options):
    encoder = zipnn_rs.UpdateEncoder(step, **options)
    for name, tensor in after.items():
        encoder.add(name, before[name], tensor)
    return encoder.finish()


def same(one, other):
    return all(one[name].tobytes() == other[name].tobytes() for name in other)


@pytest.mark.parametrize("profile", [{}, {"extended": False}, {"max": True}])
def test_steps_are_applied_in_place(profile):
    before = model()
    served = {name: tensor.copy() for name, tensor in before.items()}
    places = {name: tensor.ctypes.data for name, tensor in served.items()}
    for step in range(1, 4):
        after = trained(before)
        sent = message(before, after, step, **profile)
        assert len(sent) < sum(tensor.nbytes for tensor in after.values()) // 4
        update = zipnn_rs.Update(sent)
        assert update.step == step
        assert update.names == ["layer", "steps"]
        update.check(served)
        update.apply(served)
        assert same(served, after)
        before = after
    assert places == {name: tensor.ctypes.data for name, tensor in served.items()}


def test_the_extended_profile_is_smaller():
    before = model()
    after = trained(before)
    assert len(message(before, after)) < len(message(before, after, extended=False))


def test_wrong_weights_stay_unchanged():
    before = model()
    after = trained(before)
    update = zipnn_rs.Update(message(before, after))
    wrong = {name: tensor.copy() for name, tensor in before.items()}
    wrong["steps"][3] = 77
    kept = {name: tensor.copy() for name, tensor in wrong.items()}
    for work in (update.check, update.apply):
        with pytest.raises(zipnn_rs.ZipnnError, match='tensor "steps"') as caught:
            work(wrong)
        assert caught.value.code == "WrongBase"
        assert same(wrong, kept), "the tensors before it are unchanged as well"
    update.apply(before)
    with pytest.raises(zipnn_rs.ZipnnError):
        update.apply(before)
    assert same(before, after)


def test_missing_and_unsuitable_weights():
    before = model()
    update = zipnn_rs.Update(message(before, trained(before)))
    with pytest.raises(KeyError, match="layer"):
        update.apply({"steps": before["steps"]})
    read_only = {**before, "layer": before["layer"].copy()}
    read_only["layer"].flags.writeable = False
    update.check(read_only)
    with pytest.raises(ValueError, match="read-only"):
        update.apply(read_only)
    with pytest.raises(ValueError, match="contiguous"):
        update.apply({**before, "layer": before["layer"].T})
    with pytest.raises(zipnn_rs.ZipnnError) as caught:
        update.apply({**before, "layer": before["layer"][:-1]})
    assert caught.value.code in ("BaseLength", "WrongBase")


def test_names_of_the_same_memory_stay_unchanged():
    before = np.arange(10_000, dtype="<f4")
    after = before + 1
    sent = message({"a": before, "b": before}, {"a": after, "b": after})
    update = zipnn_rs.Update(sent)
    memory = bytearray(before.nbytes + 4000)
    memory[: before.nbytes] = before.tobytes()
    first = np.frombuffer(memory, "<f4", 10_000)
    kept = bytes(memory)
    for weights_of_both in (
        {"a": first, "b": first},
        {"a": first, "b": first[:]},
        # Objects of their own, of which numpy does not know that they share memory.
        {"a": first, "b": np.frombuffer(memory, "<f4", 10_000)},
        {"a": first, "b": np.frombuffer(memory, "<f4", 10_000, offset=4000)},
    ):
        with pytest.raises(ValueError, match="share memory"):
            update.apply(weights_of_both)
        assert memory == kept
    separate = {"a": before.copy(), "b": before.copy()}
    update.apply(separate)
    assert same(separate, {"a": after, "b": after})
    # Neighbours share none.
    both = np.concatenate([before, before])
    update.apply({"a": both[10_000:], "b": both[:10_000]})
    assert np.array_equal(both, np.concatenate([after, after]))


def test_damaged_messages():
    before = model()
    sent = message(before, trained(before))
    for length in range(0, len(sent), 97):
        with pytest.raises(zipnn_rs.ZipnnError):
            zipnn_rs.Update(sent[:length])
    for at in range(0, len(sent), 101):
        bad = bytearray(sent)
        bad[at] ^= 0x10
        with pytest.raises(zipnn_rs.ZipnnError):
            zipnn_rs.Update(bad)


def test_an_encoder_makes_one_message():
    encoder = zipnn_rs.UpdateEncoder(0)
    with pytest.raises(zipnn_rs.ZipnnError, match=r"length|long|short"):
        encoder.add("a", b"1", b"12")
    update = zipnn_rs.Update(encoder.finish())
    assert (update.step, update.names) == (0, [])
    update.apply({})
    with pytest.raises(ValueError, match="already"):
        encoder.finish()
    with pytest.raises(ValueError, match="already"):
        encoder.add("a", b"1", b"2")


def test_tensors_of_torch():
    torch = pytest.importorskip("torch")
    before = {"a": torch.randn(300, 200).bfloat16(), "b": torch.randn(50)}
    after = {"a": before["a"].clone(), "b": before["b"] * 1.001}
    after["a"][10] += 0.5
    encoder = zipnn_rs.UpdateEncoder(5)
    for name in after:
        encoder.add(name, before[name], after[name])
    update = zipnn_rs.Update(encoder.finish())
    parameters = {name: torch.nn.Parameter(tensor.clone()) for name, tensor in before.items()}
    update.apply(parameters)
    assert all(torch.equal(parameters[name], after[name]) for name in after)
