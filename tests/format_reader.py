#!/usr/bin/env python3
"""Decodes `.znn` files. Written from docs/FORMAT.md alone.

Checks everything but checksums: Python's library has no XXH3. Refuses Zstandard and 1 GiB of data.
"""

import re
import struct
import sys
from contextlib import contextmanager
from pathlib import Path

PLANES = {1: 4, 2: 4, 4: 2, 5: 2, 6: 2, 29: 1, 30: 1}  # of each type
CHECKSUMS, INDEX, FOOTER, BASE, SEAL, FRAME, _, MAP = range(1, 9)  # kinds of records
ONCE = CHECKSUMS, INDEX, FOOTER, BASE, SEAL, FRAME, MAP
OLDER = re.compile(rb"ZN\x00(\x01|\x02[\x00-\x04]|\x03[\x00-\x04].{10}[^\x04-\x06])", re.S)


def need(condition, message):
    """Raise an error unless the condition holds."""
    if not condition:
        raise ValueError(message)


@contextmanager
def place(name):
    """Put a place before the message of an error that is raised there."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def uint(data, at=0, size=8):
    """Return the integer that `size` bytes hold."""
    return int.from_bytes(data[at : at + size], "little")


def probabilities(data):
    """Return the log of the table of weights, their probabilities, and the bytes behind these."""
    number, log, at, counts = uint(data, 0, len(data)), data[0] % 16 + 5, 4, []
    need(log <= 6, "the table of weights is too large")
    left = 2**log + 1
    while left > 1:
        half = 1 << (left.bit_length() - 1)
        short, value = 2 * half - 1 - left, number >> at & (2 * half - 1)
        at += left.bit_length() - (value % half < short)
        value = value % half if value % half < short else value - short * (value >= half)
        counts.append(value - 1)
        left -= abs(value - 1)
        repeat = 3 if value == 1 else 0
        while repeat == 3:
            repeat = number >> at & 3
            counts += [0] * repeat
            at += 2
    need(at <= 8 * len(data) and len(counts) <= 256, "probabilities are cut off, or too many")
    return log, counts, data[(at + 7) // 8 :]


def weight_cells(log, counts):
    """Return symbol, number of bits and base of each cell of the table of weights."""
    size, cells, following = 2**log, [], [abs(count) for count in counts]
    from_end = [s for s, count in enumerate(counts) if count == -1][::-1]
    spread = [s for s, count in enumerate(counts) for _ in range(count)]
    order = (i * (size // 2 + size // 8 + 3) % size for i in range(size))
    order = sorted(zip((cell for cell in order if cell < len(spread)), spread))
    for symbol in [symbol for _, symbol in order] + from_end:
        width = log + 1 - following[symbol].bit_length()
        cells.append((symbol, width, (following[symbol] << width) - size))
        following[symbol] += 1
    return cells


def stream_bits(stream):
    """Return the bits of a stream as text, in the order of reading."""
    need(stream and stream[-1], "a stream has no mark at its end")
    return bin(uint(stream, 0, len(stream)))[3:]


def coded_weights(data):
    """Decode weights that are coded with FSE."""
    log, counts, stream = probabilities(data)
    cells, bits, at, weights = weight_cells(log, counts), stream_bits(stream), 2 * log, []
    need(len(bits) >= at, "the stream of weights is cut off")
    state, other = int(bits[:log], 2), int(bits[log:at], 2)
    while len(weights) < 254:
        symbol, width, base = cells[state]
        weights.append(symbol)
        if at + width > len(bits):
            return [*weights, cells[other][0]]
        state, other = other, base + int("0" + bits[at : at + width], 2)
        at += width
    raise ValueError("there are more than 255 weights")


def tree(stored):
    """Return the length of the longest code, what each cell holds, and the bytes behind."""
    count, size = stored[0] - 127, stored[0] if stored[0] < 128 else (stored[0] - 126) // 2
    data = stored[1 : 1 + size]
    need(0 < len(data) == size, "the tree description is cut off")
    halves = [half for byte in data for half in (byte >> 4, byte & 15)][: max(count, 0)]
    weights = halves or coded_weights(data)
    longest = (total := sum(1 << w >> 1 for w in weights)).bit_length()
    implied = (1 << longest) - total
    need(0 < longest <= 12 and max(weights) <= 11, "all weights are 0, or one is too high")
    need(implied & (implied - 1) == 0, "the weights leave no room for the implied one")
    weights.append(implied.bit_length())
    need(weights.count(1) >= 2 and weights.count(1) % 2 == 0, "a longest code has no sibling")
    return longest, weights, stored[1 + size :]


def cells_of(longest, weights):
    """Return what each cell of the decoding table holds."""
    cells = []
    for symbol in sorted(range(len(weights)), key=weights.__getitem__):
        cells += [(symbol, longest + 1 - weights[symbol])] * (1 << weights[symbol] >> 1)
    return {f"{i:0{longest}b}": cell for i, cell in enumerate(cells)}


def coded_plane(stored, n):
    """Decode a plane of method 1."""
    need(1 <= len(stored) <= n, "a coded plane is empty or too long")
    if len(stored) in (1, n):
        return stored * (n // len(stored))
    need(8 * len(stored) >= n - 7, "a coded plane is too short")
    longest, weights, rest = tree(stored)
    cells = cells_of(longest, weights)
    group, at, plane = (n + 3) // 4, 6, bytearray()
    for i in range(4):
        end = at + uint(rest, 2 * i, 2) if i < 3 else len(rest)
        bits, used, goal = stream_bits(rest[at:end]), 0, min(n, (i + 1) * group)
        padded, at = bits + "0" * longest, end
        while len(plane) < goal and used < len(bits):
            symbol, width = cells[padded[used : used + longest]]
            plane.append(symbol)
            used += width
        need(used == len(bits) and len(plane) == goal, f"stream {i + 1} does not end with a symbol")
    return plane


def elements_of(longest, weights):
    """Return the elements of a pivot code: the symbols of a leaf, or None for a node."""
    left = {length: [] for length in range(1, longest + 1)}
    for symbol, weight in enumerate(weights):
        if weight:
            left[longest + 1 - weight].append(symbol)
    elements, width, depth = [], 1, 0
    while width:
        leaves = []
        for k in range(6, -1, -1):
            symbols = left.get(depth + k, [])
            while len(symbols) >= 1 << k:
                leaves.append(symbols[: 1 << k])
                del symbols[: 1 << k]
        nodes = width - len(leaves)
        elements += leaves + [None] * nodes
        width, depth = 2 * nodes, depth + 1
    return elements


def fields(stored, at, width, count):
    """Return `count` fields of `width` bits from an offset on, and the offset behind them."""
    end = at + (count * width + 7) // 8
    number = uint(stored, at, end - at)
    need(end <= len(stored) and number >> (count * width) == 0, "bits are missing or not zero")
    return [number >> (width * i) & ((1 << width) - 1) for i in range(count)], end


def pivot_plane(stored, n):
    """Decode a plane of method 3."""
    need(n <= 131072 and 1 <= len(stored) < n <= 8 * len(stored) + 7, "a wrong length")
    longest, weights, rest = tree(stored)
    elements, counts, values, at = elements_of(longest, weights), [n], [], 0
    for symbols, number in zip(elements, range(len(elements))):
        width, count = len(symbols).bit_length() - 1 if symbols else 1, counts[number]
        value, shift = [0] * count, 0
        while shift < width:
            size = 4 if shift == 0 and width >= 4 else 1
            part, at = fields(rest, at, size, count)
            value = [old | new << shift for old, new in zip(value, part)]
            shift += size
        values.append(value)
        if not symbols:
            counts += [count - sum(value), sum(value)]
    need(at == len(rest), "there are bytes behind the last element")
    children = 2 * elements.count(None) + 1
    for number in reversed(range(len(elements))):
        if elements[number]:
            values[number] = [elements[number][value] for value in values[number]]
        else:
            children -= 2
            pair = [iter(values[children]), iter(values[children + 1])]
            values[number] = [next(pair[bit]) for bit in values[number]]
    return bytes(values[0])


MODES = {1: (4, 23), 4: (2, 10), 6: (2, 7), 29: (1, 3), 30: (1, 2)}  # bytes, bits of mantissa


RECORDS = {
    2: "h 16",
    3: "h h 16",
    6: "h A",
    7: "h h A",
    8: "h 32",
    9: "h h 32",
    10: "16 64 h h",
    11: "32 64 12 h",
    12: "h h 12 128",
    13: "h h 12 B",
    14: "C 16 h",
    15: "h h 256 32",
    16: "h 64",
    17: "h 64 8",
    18: "h 96",
    19: "h 32 16",
    20: "h 16",
    21: "h 64 8 32 4",
    22: "h 64 8 8",
    23: "h h 4 128",
    29: "32 16 8",
    34: "48 4 h",
    35: "64 h",
    39: "1 16",
    40: "4 32",
    41: "h 16",
    42: "h 16",
}
WEIGHTS = {"A": (20, 16), "B": (160, 128), "C": (192, 128)}  # bytes of a record, of each part


def weights_of(field, first, second):
    """Return the bytes of a field of weights from both of its parts."""
    pairs = bytes(a & 15 | (b & 15) << 4 for a, b in zip(first, second))
    bits = bytearray(WEIGHTS[field][0] - len(pairs))
    for i, (a, b) in enumerate(zip(first, second)):
        if field == "A":
            places = (i // 8, i % 8), (2 + i // 8, i % 8)
        elif field == "B":
            places = (i % 32, i // 32 * 2), (i % 32, i // 32 * 2 + 1)
        else:
            at = i // 64 * 32 + i % 32
            places = (at, i // 32 % 2 * 2), (at, i // 32 % 2 * 2 + 4)
        for (at, shift), high in zip(places, (a >> 4, b >> 4)):
            bits[at] |= high << shift & 255
    return pairs + bytes(bits) if field == "C" else bytes(bits) + pairs


def records(stored, n):
    """Decode a chunk of method 5."""
    need(3 < len(stored) < n and stored[0] in RECORDS, "a wrong length or type of records")
    fields, start, at = RECORDS[stored[0]].split(), uint(stored, 1, 2), 3
    size = sum(2 if f == "h" else WEIGHTS[f][0] if f in WEIGHTS else int(f) for f in fields)
    count = (n - start) // size
    need(start < size and start < n and count > 0, "there is no whole record")
    outside, at = stored[at : at + n - count * size], at + n - count * size

    def part(width):
        nonlocal at
        method, length = stored[at], uint(stored, at + 1, 4)
        data, at = stored[at + 5 : at + 5 + length], at + 5 + length
        need(len(data) == length and method in (0, 1, 3), "a part is cut off or of another method")
        need(method or length == width * count, "a raw part has the wrong length")
        whole = {1: coded_plane, 3: pivot_plane}[method](data, width * count) if method else data
        return [whole[i * width : (i + 1) * width] for i in range(count)]

    columns = []
    for field in fields:
        if field == "h":
            columns.append([low + high for low, high in zip(part(1), part(1))])
        elif field in WEIGHTS:
            first, second = part(WEIGHTS[field][1]), part(WEIGHTS[field][1])
            columns.append([weights_of(field, *pair) for pair in zip(first, second)])
        else:
            columns.append(part(int(field)))
    need(at == len(stored), "there are bytes behind the last part")
    whole = b"".join(b"".join(record) for record in zip(*columns))
    return outside[:start] + whole + outside[start:]


class Bits:
    """A description of a code, as bits that follow adaptive models."""

    def __init__(self, data):
        self.data, self.low, self.high, self.at, self.models = data, 0, 2**32 - 1, 4, {}
        self.code = int.from_bytes(data[:4].ljust(4, b"\0"), "big")

    def bit(self, *name):
        """Return the next bit, with the model of this name."""
        model = self.models.get(name, 32768)
        middle = self.low + ((self.high - self.low) * model >> 16)
        if (bit := self.code > middle) == 0:
            self.high, self.models[name] = middle, model + (65536 - model >> 4)
        else:
            self.low, self.models[name] = middle + 1, model - (model >> 4)
        while self.low >> 24 == self.high >> 24:
            byte, self.at = uint(self.data, self.at, 1), self.at + 1
            self.low, self.high = self.low << 8 & 2**32 - 1, self.high << 8 & 2**32 - 1 | 255
            self.code = self.code << 8 & 2**32 - 1 | byte
        return int(bit)

    def plain(self, count):
        """Return a number of `count` bits that are equally likely."""
        number = 0
        for _ in range(count):
            self.models.pop(("plain",), None)
            number = number * 2 + self.bit("plain")
        return number

    def tables(self, most):
        """Return the table of each context: symbol, frequency and offset of each slot."""
        contexts, tables = [None] * 64, []
        for first, end in (0, 49), (49, 51), (51, 64):
            if self.bit("used"):
                for context in range(first, end):
                    if context == first or self.bit("begins"):
                        tables.append([])
                    contexts[context] = tables[-1]
        need(len(tables) <= most, "a code has too many tables")
        for table in tables:
            last, symbol = 0, 0
            while len(table) < 4096:
                frequency = 4096 - len(table) if symbol == 81 else self.frequency(last)
                table += [(symbol, frequency, offset) for offset in range(frequency)]
                last, symbol = frequency.bit_length(), symbol + 1
            need(len(table) == 4096, "the frequencies of a table are too high")
        return contexts

    def tree(self, count, *name):
        """Return a number of `count` bits, each with a model for the bits before it."""
        node = 1
        for _ in range(count):
            node = node * 2 + self.bit(*name, node)
        return node - (1 << count)

    def frequency(self, similar, precision=16):
        """Return the next frequency; a similar one has `similar` bits."""
        if (length := min(13, self.tree(4, "length", similar))) < 2:
            return length
        rest, dropped = length - 2, max(0, length - 2 - precision)
        return 2 + self.bit("second", length) << rest | self.plain(rest - dropped) << dropped

    def signed(self, *name):
        """Return a number that is close to 0."""
        if not self.bit(*name, "other"):
            return 0
        lower, length = self.bit(*name, "lower"), 0
        while length < 12 and self.bit(*name, "length", length):
            length += 1
        number = 1 << length | self.plain(length)
        return -number if lower else number

    def classes(self):
        """Yield the class of each row, and None for a row that equals the base."""
        last, unchanged = 0, 0
        while True:
            if unchanged := self.bit("unchanged", unchanged):
                yield None
                continue
            last = max(-4096, min(4096, last + self.signed("class")))
            yield last


def code_numbers(code, count):
    """Return `count` numbers after the type of a code, and where they end."""
    numbers, at = [], 1
    for _ in range(count):
        number, shift = 0, 0
        while not shift or code[at - 1 : at] > b"\x7f":
            need(at < len(code) and shift < 35, "a number is cut off, or too long")
            number, at, shift = number | (code[at] & 127) << shift, at + 1, shift + 7
        numbers.append(number)
    return *numbers, at


def difference_parts(code):
    """Return type, lengths of rows and of the first row, description, states, words, low bits."""
    need(code and code[0] in MODES, "a code has an unknown type")
    row, first, size, words, at = code_numbers(code, 4)
    states, bits = at + size, at + size + 32 + 2 * words
    need(1 <= first <= row < 2**32 and bits <= len(code), "a code is cut off")
    stream = [uint(code, i, 2) for i in range(states + 32, bits, 2)]
    start = [uint(code, i, 4) for i in range(states, states + 32, 4)]
    return code[0], row, first, code[at:states], start, stream, code[bits:]


def coded_difference(code, base):
    """Decode a chunk of method 4 from its code and its part of the base."""
    kind, row, first, description, states, words, low = difference_parts(code)
    (size, m), out, bits, at, word = MODES[kind], bytearray(), uint(low, 0, len(low)), 0, 0
    width, sign = 8 * size, 1 << 8 * size - 1
    bias = (1 << width - 2 - m) - 1
    described = Bits(description)
    contexts, classes = described.tables(max(3, min(32, len(base) // 4096))), described.classes()

    def order(number):
        return number if number < sign else sign - 1 - number

    def take(count):
        nonlocal bits, at
        number, bits, at = bits & (1 << count) - 1, bits >> count, at + count
        return number

    for i in range(len(base) // size):
        j = i if i < first else (i - first) % row
        if j == 0:
            level_class = next(classes)
        old = uint(base, size * i, size)
        if level_class is None:
            out += old.to_bytes(size, "little")
            continue
        exponent = old >> m & (1 << width - 1 - m) - 1
        level = level_class + 2 * (bias + m) + 28 - 2 * max(exponent, 1)
        span = (level := max(0, min(127, level))) - 28
        apart = size > 1 and span >= 2 * m - 2
        shifted = size > 1 and span >= 7 and not apart
        context = min(63, 53 + span - 2 * m) if apart else 49 + span % 2 if shifted else min(48, level)
        need(contexts[context], "a context has no table")
        state = states[j % 8]
        symbol, frequency, offset = contexts[context][state % 4096]
        state = frequency * (state >> 12) + offset
        if state < 65536:
            need(word < len(words), "a code has too few words")
            state, word = state << 16 | words[word], word + 1
        states[j % 8] = state
        if symbol == 81:
            new = take(width)
        elif apart:
            rest, field = take(m + 1), (level_class >> 1) + bias + symbol - 60
            new = (rest >> m) * sign | field % (1 << width - 1 - m) << m | rest % (1 << m)
        else:
            shift = (span - 5) // 2 if shifted else 0
            change = (symbol - 40 << shift) + take(shift)
            new = (order(old) + change) % (1 << width)
            new = new if new < sign else sign + (1 << width) - 1 - new
        out += new.to_bytes(size, "little")
    out += bytes(take(8) for _ in range(len(base) % size))
    need(states == [65536] * 8 and word == len(words), "a code does not end with its words")
    need((at + 7) // 8 == len(low) and bits == 0, "a code does not end with its low bits")
    need(len(description) <= described.at <= len(description) + 4, "a description is not used up")
    return out


def slots(counts):
    """Return the symbol, its frequency and the offset of each slot of a table."""
    return sum(([(s, f, offset) for offset in range(f)] for s, f in enumerate(counts)), [])


def normal_tables(contexts):
    """Return the tables of normal distributions."""
    below, density, ratio, total = [0], 209154 << 32, 4293918848, 0
    for _ in range(384):
        total += density
        below.append(total >> 32)
        density, ratio = density * ratio >> 32, ratio * 4293918848 >> 32

    def within(z):
        step, part = min(abs(z), 98303) >> 8, min(abs(z), 98303) & 255
        p = below[step] + ((below[step + 1] - below[step]) * part >> 8)
        return -p if z < 0 else p

    def power(quarters):
        factor, octave = [17867, 21247, 25268, 30048][quarters & 3], quarters >> 2
        return factor << octave if octave >= 0 else factor >> -octave

    for context in range(contexts):
        phase, group = divmod(context, 13) if contexts > 4 else (context, 0)
        factor = [65536, 55109, 46341, 38968][phase]
        edges = [factor * (8 + h % 8) << h // 8 >> 14 for h in range(121)]
        first = 4 * group - 15 if group < 3 else 2 * group - 10
        centers = [power(first), power(first + 1)] if group else [0, 0]
        counts = [0] * (256 if contexts > 4 else 128)
        for half in range(len(counts) // 128):
            way = 2 * half - 1
            sums = [sum(within(edge + way * c) for c in centers) for edge in edges]
            ends = [p * 4094 >> 24 + len(counts) // 128 for p in sums]
            for h in range(120):
                counts[128 * half + h] = ends[h + 1] - ends[h]
        rest = 4096 - sum(counts)
        if contexts > 4:
            counts[255] = rest // 2
        counts[127] = rest - sum(counts[255:])
        yield counts


class Scales(Bits):
    """The description of a code of scales."""

    def __init__(self, data, contexts, symbols, most):
        super().__init__(data)
        precision, tables, similar, self.averages, self.had = self.plain(4), [], None, {}, 0
        is_normal = precision == 15
        begins = [True, *(is_normal or self.bit("begins") for _ in range(1, contexts))]
        need(sum(begins) <= most, "a code has too many tables")
        if is_normal:
            need(contexts < 64, "elements of a byte have no normal tables")
            self.tables = [slots(counts) for counts in normal_tables(contexts)]
            return
        for _ in range(sum(begins)):
            counts, last = [0] * symbols, 0
            for symbol in range(symbols):
                if symbol != 127:
                    last = similar[symbol] if similar else last
                    last = counts[symbol] = self.frequency(last.bit_length(), precision)
            need(sum(counts) <= 4096, "the frequencies of a table are too high")
            counts[127] = 4096 - sum(counts)
            similar = counts
            tables.append(slots(counts))
        self.tables = [tables[sum(begins[: i + 1]) - 1] for i in range(contexts)]

    def scale(self, kind):
        """Return the next scale of a kind."""
        average = self.averages.get(kind, 0)
        scale = max(-2048, min(2048, (average + 8 >> 4) + self.signed(kind)))
        self.averages[kind] = average + (16 * scale - average >> 2)
        return scale

    def reference(self, most):
        """Return distance, size and sign of the next row's reference, or None."""
        if most and not (had := self.bit("reference", self.had)):
            self.had = had
        elif most:
            self.had, distance = 1, self.plain((most - 1).bit_length()) + 1
            need(distance <= most, "a reference is to no row")
            return distance, self.scale("size"), self.bit("negative")
        return None


def raw_bits(data, count, width):
    """Return the raw bits of each element, `width` bits in groups of eight elements."""
    whole, part, numbers = width // 8, width % 8, []
    for at in range(0, len(data), width):
        packed = uint(data, at + 8 * whole, part)
        for lane in range(8):
            high = packed >> part * lane & (1 << part) - 1
            numbers.append(uint(data, at + whole * lane, whole) | high << 8 * whole)
    need(not any(numbers[count:]), "there are raw bits behind the last element")
    return numbers


def coded_scales(code, n):
    """Decode a chunk of method 6, of `n` bytes, from its code."""
    need(code and code[0] & 127 in MODES, "a code has an unknown type")
    kind, referring = code[0] & 127, code[0] >> 7
    (size, m), whole = MODES[kind], MODES[kind][0] == 1
    need(not (whole and referring), "rows of bytes have no references")
    row, first, description, words, escaped, at = code_numbers(code, 5)
    need(row % 8 == first % 8 == 0 < first <= row <= min(65536, -(-n // 8) * 8), "wrong rows")
    count, low = n // size, 0 if whole else m - 3
    sign, top, width = 8 * size - 1, (1 << 8 * size - 1 - m) - 1, 8 * size - 1 - m
    stream_end = at + description + 32 + 2 * words
    raw_at = stream_end + escaped
    end_at = raw_at + -(-count // 8) * (low + 1 - referring)
    need(end_at + n % size == len(code), "a code has the wrong length")
    contexts = 64 if whole else 52 if referring else 4
    bits = Scales(code[at : at + description], contexts, 256 if referring else 128,
                  max(4, min(52, n // 2048)))
    columns = [bits.scale("column") for _ in range(row)]
    at += description
    states = [uint(code, i, 4) for i in range(at, at + 32, 4)]
    stream = iter([uint(code, i, 2) for i in range(at + 32, stream_end, 2)])
    raw = raw_bits(code[raw_at:end_at], count, low + 1 - referring)
    escapes, out, column = Bits(code[stream_end:raw_at]), [], row - first
    for i in range(count):
        if i == 0 or column == row:
            column = column % row
            scale = bits.scale("row")
            reference = bits.reference(i // row) if referring else None
        expected, negative, group = scale + columns[column], 0, 0
        field = (expected >> 2) + (top >> 1) - 9
        if reference:
            distance, power, negative = reference
            other = out[i - distance * row]
            quarters = (other & (1 << sign) - 1) >> m - 2
            half = quarters - 4 * (top >> 1) + power + 12 - expected >> 1
            group = max(0, min(12, max(half + 2 >> 1, half - 1)))
            negative ^= other >> sign
        context = (expected & 3) * (13 if referring else 1) + group
        context = max(0, min(63, expected + 36)) if whole else context
        symbol, frequency, offset = bits.tables[context][states[i % 8] % 4096]
        state = frequency * (states[i % 8] >> 12) + offset
        if state < 65536:
            need((word := next(stream, None)) is not None, "a code has too few words")
            state = state << 16 | word
        states[i % 8] = state
        head = symbol & 127 if whole else (field << 3) + (symbol & 127) & (top << 3) + 7
        if not whole and symbol & 127 == 127:
            exponent = escapes.tree(width, "exponent") + field
            head = exponent % (1 << width) << 3 | escapes.plain(3)
        is_set = symbol >> 7 ^ negative if referring else raw[i] >> low
        out.append(is_set << sign | head << low | raw[i] & (1 << low) - 1)
        column += 1
    need(states == [65536] * 8 and next(stream, None) is None, "a code does not end with its words")
    for part, length in (bits, description), (escapes, escaped):
        need(length <= part.at <= length + 4, "a description is not used up")
    return b"".join(x.to_bytes(size, "little") for x in out) + code[end_at:]


def converted(code, element):
    """Return an element of a source as a base map converts it."""
    x = uint(element, 0, len(element))
    if code == 3:
        return b"\0\0" + element
    if code == 1:
        is_nan = x << 1 & 2**32 - 1 > 0xFF000000
        return (x >> 16 | 64 if is_nan else x + 0x7FFF + (x >> 16 & 1) >> 16).to_bytes(2, "little")
    if code == 2:
        sign = x >> 16 & 0x8000
        if x << 1 & 2**32 - 1 > 0xFF000000:
            return (sign | 0x7E00 | x >> 13 & 0x3FF).to_bytes(2, "little")
        try:
            return struct.pack("<e", *struct.unpack("<f", element))
        except OverflowError:
            return (sign | 0x7C00).to_bytes(2, "little")
    if x & 0x7FFF > 0x7C00:
        return (x << 16 & 2**31 | 0x7FC00000 | (x & 0x3FF) << 13).to_bytes(4, "little")
    return struct.pack("<f", *struct.unpack("<e", element))


def assembled(body, source):
    """Return the base that a base map describes. `source` returns a file by its path."""
    at = 0

    def take(size):
        nonlocal at
        at += size
        need(at <= len(body), "a base map is cut off")
        return body[at - size : at]

    def number():
        value = shift = 0
        while (byte := take(1)[0]) > 127:
            value, shift = value | byte - 128 << shift, shift + 7
        value |= byte << shift
        need((byte or not shift) and value < 2**64, "a number is too long")
        return value

    need((size := number()) <= 1 << 30, "the base is longer than this reader decodes")
    base, files, end, source_end = bytearray(size), [], 0, 0
    for _ in range(number()):
        size, _, path = number(), take(16), take(number()).decode()
        files.append(source(path))
        need(len(files[-1]) == size, f"the base {path} was changed")
    for _ in range(number()):
        start = end + number()
        end = start + number()
        which, distance, code = number(), number(), take(1)[0]
        need(which < len(files) and end <= len(base) and code <= 4, "a segment is malformed")
        offset = (source_end + (distance >> 1 ^ -(distance & 1))) % 2**64
        width, out = ((1, 1), (4, 2), (4, 2), (2, 4), (2, 4))[code]
        source_end = offset + (end - start) // out * width
        need((end - start) % out == 0 and source_end <= len(files[which]), "a segment does not fit")
        part = files[which][offset:source_end]
        if code:
            elements = (part[i : i + width] for i in range(0, len(part), width))
            part = b"".join(converted(code, element) for element in elements)
        base[start:end] = part
    end = 0
    for _ in range(number()):
        end += number() + number()
        need(end <= len(base), "a tensor is not in the base")
        take(number()).decode()
    need(at == len(body), "there are bytes behind a base map")
    return bytes(base)


class Frame:
    """A frame at `start`, with header, index and annex checked; its data begins at `data_at`."""

    def __init__(self, file, start, data_at):
        self.data = data = file[start : start + uint(file, start + 24)]
        need(data[:2] == b"ZN" and len(data) == uint(data, 24) >= 32, "no frame, or cut off")
        planes, size, form, h = PLANES.get(data[15], 0), uint(data, 16), data[8], data[14]
        group = {2: 10, 4: 220}.get(planes, data[5])
        need(planes and 1 <= form <= 3 and data[5] == group, "unknown type, form or byte group")
        need(planes == 1 or size == 0 or 2 <= h <= 62, "the chunk exponent is out of range")
        need(data_at + size <= 1 << 30, "there is more data than this reader decodes")
        early = planes == 2 and data[2:5] in (b"\0\3\0", b"\0\3\1")
        need(not early or size % 2 == 0, "the last byte is left out")
        self.start, self.data_at, self.size, self.planes = start, data_at, size, planes
        self.chunk_len = 2**h if planes > 1 else min(2**h, 131072)
        self.chunks = -(-size // self.chunk_len)
        at = 32 if form == 1 else 33
        for _ in range(uint(data, 32, 1) if form > 1 else 0):
            at += 1 + {1: 1, 2: 2, 4: 4}.get(uint(data, at, 1), 8)
        self.read_annex(self.read_index(at))

    def read_index(self, at):
        """Find what is stored for each chunk of each plane; return where the payload ends."""
        count, self.stored = self.planes * self.chunks, []
        content, ends = at + 9 * count, at + count
        need(content <= len(self.data), "shape or index do not fit the frame")
        for i in range(count):
            k, c = divmod(i, self.chunks)
            begin = content
            plane = begin if c == 0 else plane
            content = plane + uint(self.data, ends + 8 * i)
            need(begin <= content <= len(self.data), f"chunk {c}, plane {k}: its end is wrong")
            self.stored.append((self.data[at + i], self.data[begin:content]))
        return content

    def read_annex(self, at):
        """Keep for each kind of record where the body begins, and the body."""
        self.records, end = {}, len(self.data) if self.data[at : at + 4] == b"ZNX1" else 0
        sizes, at = {CHECKSUMS: 8 * self.chunks, FOOTER: 24, BASE: 16, SEAL: 0, FRAME: 32}, at + 4
        while at < end:
            kind, size, body = self.data[at], uint(self.data, at + 4, 4), at + 8
            at = body + size
            with place(f"record of kind {kind}"):
                need(uint(self.data, body - 7, 3) == 0, "it needs a newer reader")
                need(at <= end and size == sizes.get(kind, size), "it does not fit")
                need(kind not in ONCE or kind not in self.records, "there is a second one")
            self.records[kind] = self.start + body, self.data[body:at]

    def decode_chunk(self, c, base):
        """Decode a chunk: its planes, merged and rotated back, with its part of the base."""
        planes, out = self.planes, bytearray(min(self.chunk_len, self.size - c * self.chunk_len))
        stored = self.stored[c :: self.chunks]
        methods = {method for method, _ in stored}
        at = self.data_at + c * self.chunk_len
        part = (base or b"")[at : at + len(out)]
        with place(f"chunk {c}"):
            need(methods == {4} or 4 not in methods, "only some planes have method 4")
            need(len({method >> 7 for method in methods}) == 1, "only some planes use the base")
            need(methods == {6} or 6 not in methods, "only some planes have method 6")
            data = max(methods) < 4 or methods in ({5}, {6})
            need(data or self.data[9], "a method needs a difference")
            if methods == {6}:
                lens = (len(out[k::planes]) for k in range(planes))
                need(all(len(s) <= n for (_, s), n in zip(stored, lens)), "a plane is too long")
                need(not self.data[9], "a difference has no code of scales")
                return coded_scales(b"".join(s for _, s in stored), len(out))
            if methods == {4}:
                need(len(part) == len(out), "the base is too short")
                lens = (len(out[k::planes]) for k in range(planes))
                need(all(len(s) <= n for (_, s), n in zip(stored, lens)), "a plane is too long")
                return coded_difference(b"".join(s for _, s in stored), part)
            with_base = base is not None and max(methods) < 128
        for k in range(planes):
            (method, stored), n = self.stored[k * self.chunks + c], len(out[k::planes])
            method &= 127
            with place(f"chunk {c}, plane {k}"):
                known = method in (0, 1, 3) or method == 5 and planes == 1
                need(known, f"method {method} is not supported")
                need(method or len(stored) == n, "a raw plane has the wrong length")
                decoders = {1: coded_plane, 3: pivot_plane, 5: records}
                out[k::planes] = decoders[method](stored, n) if method else stored
        if planes > 1 and self.data[6] == 1:
            words, top = len(out) // 4 * 4, 8 * planes - 9
            masks = ((1 << top) - 1, 1 << top, 255 << (top + 1))
            lanes = (mask.to_bytes(planes, "little") * (words // planes) for mask in masks)
            low, sign, high = (uint(out, 0, words) & uint(lane, 0, words) for lane in lanes)
            out[:words] = (low | high >> 1 | sign << 8).to_bytes(words, "little")
        if not with_base:
            return out
        part = part.ljust(len(out), b"\0")
        return (uint(out, 0, len(out)) ^ uint(part, 0, len(out))).to_bytes(len(out), "little")


def check_annexes(frames):
    """Check that annexes agree with the frames; a seal begins a file, and a footer ends it."""
    part, sealed = [], False
    for i, frame in enumerate(frames):
        with place(f"frame {i}"):
            need(not sealed or SEAL not in frame.records, "there is a second seal")
            part = [frame] if SEAL in frame.records or not part else [*part, frame]
            start, data_at, sealed = part[0].start, part[0].data_at, SEAL in part[0].records
            offset, (_, body) = frame.data_at - data_at, frame.records.get(FRAME, (0, b""))
            need(uint(body) == offset if body else not sealed, "no frame record, or a wrong one")
            if FOOTER in frame.records:
                need(sealed and [*frame.records][-1] == FOOTER, "a footer out of place")
                at, index = frame.records.get(INDEX, (start, b""))
                table = [[f.start - start, len(f.data), f.data_at - data_at, f.size] for f in part]
                numbers = [uint(index, j) for j in range(0, len(index), 8)]
                need(numbers == sum(table, [len(part)]), "the index does not agree with the frames")
                numbers = uint(frame.records[FOOTER][1], 0, 16)
                need(numbers == frame.start - start | at - start << 64, "the footer is wrong")
                need(len({CHECKSUMS in f.records for f in part if f.size}) < 2, "no checksums")
                part, sealed = [], False
    need(not sealed, "the file has a seal, but no footer")


def source_in(folder):
    """Return a function that reads a file by its path in a folder, compressed or not."""

    def read(path):
        plain, stored = folder / path, folder / f"{path}.znn"
        return decode(stored.read_bytes()) if stored.exists() else plain.read_bytes()

    return read


def decode(file, base=None, source=None):
    """Decode a file, against its base if it holds a difference.

    `source` returns the files from which a base map assembles the base, by their paths.
    """
    need(not OLDER.match(file), "the file is of an older layout")
    frames, at, out = [], 0, bytearray()
    while not frames or at < len(file) and file[13] >= 128:
        with place(f"frame {len(frames)}"):
            frames.append(Frame(file, at, len(out)))
            if at == 0 and file[9] and base is None and source and MAP in frames[0].records:
                base = assembled(frames[0].records[MAP][1], source)
            out += b"".join(frames[-1].decode_chunk(c, base) for c in range(frames[-1].chunks))
        at += len(frames[-1].data)
    check_annexes(frames)
    need((file[9] == 0) == (base is None), "a difference needs a base, and other data has none")
    need(base is None or len(base) == len(out), "the base has another length than the data")
    for frame in frames if base is not None else []:
        left = (len(out) - frame.data_at).to_bytes(8, "little")
        need(frame.records.get(BASE, (0, left))[1][:8] == left, "a record names another base")
    return bytes(out)


def main(arguments):
    """Decode FILE, against BASE if there is one, and write the data to OUT."""
    file, out, *base = map(Path, arguments or sys.exit("usage: format_reader.py FILE OUT [BASE]"))
    try:
        base = [path.read_bytes() for path in base] or [None]
        out.write_bytes(decode(file.read_bytes(), *base, source_in(file.parent)))
    except (ValueError, OSError) as error:
        sys.exit(f"{file}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
