//! Sends the weights of a model to another process after every training step.
//!
//! The first message contains the whole model, each later one only what changed. The receiver
//! applies messages in place and answers with a checksum, which the sender compares.
//!
//! ```sh
//! cargo run --release --example weight_updates
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use half::bf16;
use zipnn::delta::{BaseId, Update, UpdateEncoder};
use zipnn::frame::DecodeScratch;
use zipnn::{DType, Limits, Options, Profile};

type Weights = BTreeMap<String, Vec<u8>>;

const STEPS: u64 = 5;
/// Number of elements of each tensor.
const ELEMENTS: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        Some(address) => receive(&mut TcpStream::connect(address)?),
        None => send(),
    }
}

/// Trains a model, and sends it to a receiver that this starts as another process.
fn send() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let mut receiver = Command::new(std::env::current_exe()?).arg(address).spawn()?;
    let (mut stream, _) = listener.accept()?;
    let mut weights = initial_weights();
    for (name, tensor) in &weights {
        let file = zipnn::compress(tensor, &Options::new(DType::BF16))?;
        write_message(&mut stream, name.as_bytes())?;
        write_message(&mut stream, &file)?;
    }
    write_message(&mut stream, b"")?;
    for step in 1..=STEPS {
        let before = weights.clone();
        train(&mut weights, step);
        let mut encoder = UpdateEncoder::new(step, Profile::Extended);
        for (name, after) in &weights {
            encoder.add(name, DType::BF16, &before[name], after)?;
        }
        let message = encoder.finish();
        write_message(&mut stream, &message)?;
        let answer = read_message(&mut stream)?;
        assert_eq!(answer, identity(&weights), "both processes have the same weights");
        let len: usize = weights.values().map(Vec::len).sum();
        let percent = message.len() as f64 / len as f64 * 100.0;
        println!("step {step}: {} of {len} bytes sent, {percent:.2} %", message.len());
    }
    drop(stream);
    if receiver.wait()?.success() { Ok(()) } else { Err("the receiver failed".into()) }
}

/// Receives a model and its updates until the sender closes the connection.
fn receive(stream: &mut TcpStream) -> Result<(), Box<dyn Error>> {
    let mut weights = Weights::new();
    loop {
        let name = String::from_utf8(read_message(stream)?)?;
        if name.is_empty() {
            break;
        }
        let tensor = zipnn::decompress(&read_message(stream)?, &Limits::default())?;
        weights.insert(name, tensor);
    }
    let mut scratch = DecodeScratch::new();
    for _ in 0..STEPS {
        let message = read_message(stream)?;
        let update = Update::parse(&message)?;
        // All tensors are checked before the first one is changed.
        for tensor in update.tensors() {
            tensor.check(weights.get(tensor.name()).ok_or("an unknown tensor")?)?;
        }
        for tensor in update.tensors() {
            let weights = weights.get_mut(tensor.name()).ok_or("an unknown tensor")?;
            tensor.apply(weights, &mut scratch)?;
        }
        write_message(stream, &identity(&weights))?;
    }
    Ok(())
}

/// Returns the checksums of all tensors.
fn identity(weights: &Weights) -> Vec<u8> {
    weights.values().flat_map(|tensor| BaseId::of(tensor).checksum.to_le_bytes()).collect()
}

fn initial_weights() -> Weights {
    let names = ["embedding", "attention", "output"];
    let tensor = |seed: usize| {
        let mut state = seed as u32 + 1;
        let mut uniform = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        };
        // The sum of uniform numbers is close to a normal distribution, as of real weights.
        let mut weight = || bf16::from_f32((uniform() + uniform() + uniform()) * 0.04);
        (0..ELEMENTS).flat_map(|_| weight().to_le_bytes()).collect()
    };
    names.iter().enumerate().map(|(seed, name)| ((*name).to_owned(), tensor(seed))).collect()
}

/// Changes a few weights of all tensors but one.
fn train(weights: &mut Weights, step: u64) {
    for (number, tensor) in weights.values_mut().enumerate().take(2) {
        let elements = tensor.as_chunks_mut::<2>().0.iter_mut();
        for element in elements.skip(number + step as usize).step_by(37) {
            let weight = bf16::from_le_bytes(*element);
            *element = bf16::from_f32(weight.to_f32() * 1.01).to_le_bytes();
        }
    }
}

fn write_message(stream: &mut TcpStream, message: &[u8]) -> std::io::Result<()> {
    stream.write_all(&(message.len() as u64).to_le_bytes())?;
    stream.write_all(message)
}

fn read_message(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut len = [0; 8];
    stream.read_exact(&mut len)?;
    let mut message = Vec::new();
    // Memory grows with the bytes that arrive, whatever the length says.
    let len = u64::from_le_bytes(len);
    if stream.take(len).read_to_end(&mut message)? as u64 == len {
        Ok(message)
    } else {
        Err(std::io::ErrorKind::UnexpectedEof.into())
    }
}
