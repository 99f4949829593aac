//! Reading and writing the stored form.

use divan::{Bencher, black_box};
use flags_benches::flag;
use flags_core::Record;

fn main() {
    divan::main();
}

#[divan::bench]
fn decode_a_flag(bencher: Bencher<'_, '_>) {
    let record = Record::from(flag(0));
    let (key, bytes) = (record.key(), record.encode().expect("it encodes"));
    bencher
        .counter(divan::counter::BytesCount::new(bytes.len()))
        .bench(|| Record::decode(black_box(&key), black_box(&bytes)));
}

#[divan::bench]
fn encode_a_flag(bencher: Bencher<'_, '_>) {
    let record = Record::from(flag(0));
    let bytes = record.encode().expect("it encodes").len();
    bencher.counter(divan::counter::BytesCount::new(bytes)).bench(|| black_box(&record).encode());
}
