//! Buckets of targeting keys: stable, spread evenly, and the same in every language.

/// MurmurHash3, its 32-bit form for x86 with seed 0, by Austin Appleby, who placed it in the public
/// domain: <https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp>.
///
/// It takes its input in pieces, so that what is fixed for a flag is hashed once, when the flag is compiled.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Murmur3 {
    hash: u32,
    /// Bytes that do not fill a block of four yet, the first lowest.
    pending: u32,
    length: u32,
}

impl Murmur3 {
    /// With more bytes at the end.
    #[must_use]
    pub(crate) fn then(mut self, bytes: &[u8]) -> Self {
        let mut bytes = bytes;
        while !self.length.is_multiple_of(4) {
            let [first, rest @ ..] = bytes else { return self };
            self.push(*first);
            bytes = rest;
        }
        let mut blocks = bytes.chunks_exact(4);
        for block in &mut blocks {
            if let [a, b, c, d] = *block {
                self.block(u32::from_le_bytes([a, b, c, d]));
                self.length = self.length.wrapping_add(4);
            }
        }
        blocks.remainder().iter().for_each(|byte| self.push(*byte));
        self
    }

    /// The hash of all the bytes so far.
    #[must_use]
    pub(crate) fn finish(self) -> u32 {
        let mut hash = self.hash;
        if !self.length.is_multiple_of(4) {
            hash ^= scramble(self.pending);
        }
        hash ^= self.length;
        hash ^= hash >> 16;
        hash = hash.wrapping_mul(0x85eb_ca6b);
        hash ^= hash >> 13;
        hash = hash.wrapping_mul(0xc2b2_ae35);
        hash ^ (hash >> 16)
    }

    fn push(&mut self, byte: u8) {
        self.pending |= u32::from(byte) << (8 * (self.length % 4));
        self.length = self.length.wrapping_add(1);
        if self.length.is_multiple_of(4) {
            self.block(self.pending);
            self.pending = 0;
        }
    }

    fn block(&mut self, block: u32) {
        self.hash ^= scramble(block);
        self.hash = self.hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
}

fn scramble(block: u32) -> u32 {
    block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

/// The two hashes of a flag, each waiting for a targeting key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Buckets {
    rollout: Murmur3,
    variant: Murmur3,
}

impl Buckets {
    pub(crate) fn of(flag_key: &str) -> Self {
        let flag = Murmur3::default().then(flag_key.as_bytes());
        Self { rollout: flag.then(b":"), variant: flag.then(b":variant:") }
    }

    /// 1 to 100: in a rollout of so many percent or more.
    pub(crate) fn rollout(&self, targeting_key: &str) -> u32 {
        self.rollout.then(targeting_key.as_bytes()).finish() % 100 + 1
    }

    /// The hash that chooses among variants.
    pub(crate) fn variant(&self, targeting_key: &str) -> u32 {
        self.variant.then(targeting_key.as_bytes()).finish()
    }
}

/// The bucket, 1 to 100, of a targeting key in the rollouts of a flag: a rule of so many percent or more
/// applies to it.
#[must_use]
pub fn rollout_bucket(flag_key: &str, targeting_key: &str) -> u32 {
    Buckets::of(flag_key).rollout(targeting_key)
}

/// The bucket, 0 to 99, of a targeting key among the variants of a flag whose weights sum to 100.
#[must_use]
pub fn variant_bucket(flag_key: &str, targeting_key: &str) -> u32 {
    Buckets::of(flag_key).variant(targeting_key) % 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hashes_however_the_input_is_cut() {
        for (text, want) in [("", 0), ("hello", 0x248b_fa47), ("hello, world", 0x149b_bb7f)] {
            for cut in 0..=text.len() {
                let (start, end) = text.as_bytes().split_at(cut);
                assert_eq!(Murmur3::default().then(start).then(end).finish(), want, "{text} cut at {cut}");
            }
        }
    }
}
