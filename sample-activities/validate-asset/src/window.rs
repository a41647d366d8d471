//! An object as something to read and seek in, of which only the parts looked at are fetched.
//!
//! It knows nothing of what is read. However a parser is led about by a hostile object, no more
//! than a budget is fetched.

use std::{
    fmt,
    io::{self, BufRead, Read, Seek, SeekFrom},
};

/// What is fetched first, and kept: nearly always enough.
const HEAD: u64 = 64 << 10;

/// What is fetched where a parser jumps to. It doubles while the parser reads on from there.
const SMALLEST: u64 = 16 << 10;
const LARGEST: u64 = 1 << 20;

/// What is fetched at most, all in all.
const BUDGET: u64 = 16 << 20;

/// Where the bytes are.
pub(crate) trait Source {
    fn size(&self) -> u64;

    /// Bytes of which the first is at `start`; all of them are within the object.
    fn fetch(&self, start: u64, length: u64) -> io::Result<Vec<u8>>;
}

/// A source, with a position in it.
pub(crate) struct Window<S> {
    source: S,
    head: Vec<u8>,
    block: Vec<u8>,
    block_start: u64,
    next_length: u64,
    position: u64,
    fetched: u64,
    /// Parsers make what they like of errors; this is the one that counts.
    broken: Option<io::Error>,
}

impl<S: Source> Window<S> {
    /// Fetches the head.
    pub(crate) fn new(source: S) -> io::Result<Self> {
        let length = source.size().min(HEAD);
        let head = if length == 0 { Vec::new() } else { source.fetch(0, length)? };
        Ok(Self {
            fetched: head.len() as u64,
            source,
            head,
            block: Vec::new(),
            block_start: 0,
            next_length: SMALLEST,
            position: 0,
            broken: None,
        })
    }

    /// The first bytes of the object.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// How much was fetched.
    pub(crate) fn fetched(&self) -> u64 {
        self.fetched
    }

    /// The error of the source that a parser has met, if it has met one.
    pub(crate) fn take_broken(&mut self) -> Option<io::Error> {
        self.broken.take()
    }

    fn at_hand(&self) -> &[u8] {
        let from = |bytes: &[u8], start: u64| {
            let offset = self.position.checked_sub(start)?;
            usize::try_from(offset).ok().filter(|offset| *offset < bytes.len())
        };
        let head = from(&self.head, 0).and_then(|offset| self.head.get(offset..));
        let block =
            || from(&self.block, self.block_start).and_then(|offset| self.block.get(offset..));
        head.or_else(block).unwrap_or_default()
    }

    fn fetch_block(&mut self) -> io::Result<()> {
        let reads_on = self.position == self.block_start + self.block.len() as u64;
        self.next_length = if reads_on { (self.next_length * 2).min(LARGEST) } else { SMALLEST };
        let length = self.next_length.min(self.source.size() - self.position);
        if self.fetched + length > BUDGET {
            let message = format!("nothing was found in {} bytes of it", self.fetched);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        match self.source.fetch(self.position, length) {
            Ok(block) => {
                self.fetched += block.len() as u64;
                self.block = block;
                self.block_start = self.position;
                Ok(())
            }
            Err(error) => {
                let copy = io::Error::new(error.kind(), error.to_string());
                self.broken = Some(error);
                Err(copy)
            }
        }
    }
}

impl<S: Source> BufRead for Window<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at_hand().is_empty() && self.position < self.source.size() {
            self.fetch_block()?;
        }
        Ok(self.at_hand())
    }

    fn consume(&mut self, amount: usize) {
        self.position = self.position.saturating_add(amount as u64);
    }
}

impl<S: Source> Read for Window<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

impl<S: Source> Seek for Window<S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
            SeekFrom::End(offset) => self.source.size().checked_add_signed(offset),
        };
        self.position = position.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "a seek to before the beginning")
        })?;
        Ok(self.position)
    }
}

impl<S> fmt::Debug for Window<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window")
            .field("position", &self.position)
            .field("fetched", &self.fetched)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Bytes in memory, and which of them were fetched.
    #[derive(Debug, Default)]
    pub(crate) struct Memory {
        pub(crate) bytes: Vec<u8>,
        fetches: RefCell<Vec<(u64, u64)>>,
    }

    impl Memory {
        pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> Self {
            Self { bytes: bytes.into(), ..Self::default() }
        }
    }

    impl Source for &Memory {
        fn size(&self) -> u64 {
            self.bytes.len() as u64
        }

        fn fetch(&self, start: u64, length: u64) -> io::Result<Vec<u8>> {
            self.fetches.borrow_mut().push((start, length));
            Ok(self.bytes[start as usize..][..length as usize].to_vec())
        }
    }

    fn counting(size: usize) -> Memory {
        Memory::new((0..size).map(|at| (at % 251) as u8).collect::<Vec<u8>>())
    }

    #[test]
    fn a_small_object_is_fetched_once() {
        let memory = counting(1_000);
        let mut window = Window::new(&memory).unwrap();
        let mut all = Vec::new();
        window.read_to_end(&mut all).unwrap();
        window.rewind().unwrap();
        window.read_to_end(&mut all).unwrap();
        assert_eq!(all, [memory.bytes.as_slice(), &memory.bytes].concat());
        assert_eq!(*memory.fetches.borrow(), [(0, 1_000)]);
    }

    #[test]
    fn what_is_skipped_is_not_fetched() {
        let memory = counting(3_000_000);
        let mut window = Window::new(&memory).unwrap();
        window.seek(SeekFrom::End(-10)).unwrap();
        let mut last = Vec::new();
        window.read_to_end(&mut last).unwrap();
        assert_eq!(last, memory.bytes[2_999_990..]);
        window.seek(SeekFrom::Start(1_000_000)).unwrap();
        let mut some = vec![0; 100_000];
        window.read_exact(&mut some).unwrap();
        assert_eq!(some, memory.bytes[1_000_000..1_100_000]);
        assert_eq!(
            *memory.fetches.borrow(),
            [
                (0, 65_536),
                (2_999_990, 10),
                (1_000_000, 16_384),
                (1_016_384, 32_768),
                (1_049_152, 65_536)
            ]
        );
    }

    #[test]
    fn beyond_the_end_there_is_nothing_and_before_the_beginning_an_error() {
        let memory = counting(100);
        let mut window = Window::new(&memory).unwrap();
        window.seek(SeekFrom::Start(u64::MAX)).unwrap();
        assert_eq!(window.read(&mut [0; 4]).unwrap(), 0);
        window.consume(usize::MAX);
        assert!(window.seek(SeekFrom::End(-101)).is_err());
    }

    #[test]
    fn no_more_than_the_budget_is_fetched() {
        let memory = counting(40_000_000);
        let mut window = Window::new(&memory).unwrap();
        let error = window.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(window.fetched() <= BUDGET && window.take_broken().is_none());
    }
}
