//! The limits on a guest's memory, tables and instances, and the memory of having met them.

use wasmtime::ResourceLimiter;

pub(crate) const TABLE_ELEMENTS: usize = 100_000;
const TABLES: usize = 64;
const MEMORIES: usize = 16;
const INSTANCES: usize = 128;

/// Limits all linear memories of a store together: wasmtime's own limiter counts each by itself.
#[derive(Debug)]
pub(crate) struct Limiter {
    limit: u64,
    used: u64,
    /// Whether a growth was denied. A guest that traps after that ran out of memory, whatever its
    /// allocator made of it.
    pub(crate) denied: Option<Denied>,
}

/// What there was no more of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    Memory,
    Table,
}

impl Limiter {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, used: 0, denied: None }
    }

    /// Memories never shrink, so what is in use is also the peak.
    pub(crate) fn peak(&self) -> u64 {
        self.used
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let more = desired.saturating_sub(current) as u64;
        match self.used.checked_add(more) {
            Some(used) if used <= self.limit => self.used = used,
            _ => {
                self.denied = Some(Denied::Memory);
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // First, since the pool's own limit, which is the same, comes as a maximum as well.
        if desired > TABLE_ELEMENTS {
            self.denied = Some(Denied::Table);
            return Ok(false);
        }
        Ok(maximum.is_none_or(|maximum| desired <= maximum))
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_all_memories_together() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 50, Some(40)).unwrap(), "beyond its own maximum");
        assert_eq!(limiter.denied, None);
        assert!(!limiter.memory_growing(0, 50, None).unwrap());
        assert_eq!(limiter.denied, Some(Denied::Memory));
        assert!(limiter.memory_growing(60, 100, None).unwrap());
        assert_eq!(limiter.peak(), 100);
    }

    #[test]
    fn tables_end_somewhere() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.table_growing(0, TABLE_ELEMENTS, None).unwrap());
        assert!(!limiter.table_growing(0, 11, Some(10)).unwrap(), "beyond its own maximum");
        assert_eq!(limiter.denied, None);
        assert!(!limiter.table_growing(0, TABLE_ELEMENTS + 1, None).unwrap());
        assert_eq!(limiter.denied, Some(Denied::Table));
    }
}
