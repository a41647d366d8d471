//! Counting in pieces: a character, a word or a line may begin in one chunk and end in another.

use std::fmt;

use crate::Output;

/// Counts text that comes in chunks.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    words: u64,
    lines: u64,
    bytes: u64,
    in_word: bool,
    in_line: bool,
    /// The beginning of a character whose rest is in the next chunk.
    partial: Vec<u8>,
}

/// The text is not UTF-8.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotText {
    at: u64,
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the object is not UTF-8 text: see byte {}", self.at)
    }
}

impl Counter {
    /// Bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn push(&mut self, mut chunk: &[u8]) -> Result<(), NotText> {
        while !self.partial.is_empty()
            && let Some((first, rest)) = chunk.split_first()
        {
            self.partial.push(*first);
            chunk = rest;
            let character = std::mem::take(&mut self.partial);
            self.take(&character)?;
        }
        self.take(chunk)
    }

    pub(crate) fn finish(self) -> Result<Output, NotText> {
        if !self.partial.is_empty() {
            return Err(NotText { at: self.bytes });
        }
        let lines = self.lines + u64::from(self.in_line);
        Ok(Output { words: self.words, lines, bytes: self.bytes })
    }

    /// Counts the whole characters of `bytes`, and keeps the beginning of one at their end.
    fn take(&mut self, bytes: &[u8]) -> Result<(), NotText> {
        match str::from_utf8(bytes) {
            Ok(text) => self.count(text),
            Err(error) => {
                let (valid, rest) = bytes.split_at(error.valid_up_to());
                if error.error_len().is_some() {
                    return Err(NotText { at: self.bytes + valid.len() as u64 });
                }
                self.count(str::from_utf8(valid).unwrap_or_default());
                self.partial = rest.to_vec();
            }
        }
        Ok(())
    }

    fn count(&mut self, text: &str) {
        self.bytes += text.len() as u64;
        for character in text.chars() {
            let blank = character.is_whitespace();
            self.words += u64::from(!blank && !self.in_word);
            self.in_word = !blank;
            self.in_line = character != '\n';
            self.lines += u64::from(character == '\n');
        }
    }
}
