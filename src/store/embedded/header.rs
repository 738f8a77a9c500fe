//! A look at the data file before LMDB maps it.
//!
//! LMDB trusts its file: a page beyond the file's end is a SIGBUS, a page of garbage may
//! be worse. So the two meta pages and the pages reachable from them are read as ordinary
//! bytes first. The walk stops after [`PAGES_CHECKED_MAX`] pages, which covers small files
//! whole and the upper levels of large ones; when the file is shorter than its meta page
//! says, the walk goes to the end, because LMDB may leave unused last pages unwritten.
//!
//! Layout: `mdb.c` of LMDB, data version 1, 64-bit little-endian.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::failure::damaged_file;
use crate::error::{Code, Error, Result, Retry};

/// Pages examined at open when the file has its full length.
const PAGES_CHECKED_MAX: u64 = 4096;
const MAGIC: u32 = 0xBEEF_C0DE;
const VERSION: u32 = 1;
const PAGE_HEADER_BYTES: usize = 16;
const META_BYTES: usize = PAGE_HEADER_BYTES + 136;
const PAGE_BRANCH: u16 = 0x01;
const PAGE_LEAF: u16 = 0x02;
const PAGE_OVERFLOW: u16 = 0x04;
const PAGE_META: u16 = 0x08;
const NODE_BIG: u16 = 0x01;
const NODE_SUB_DATABASE: u16 = 0x02;
const NO_PAGE: u64 = u64::MAX;

/// A little-endian number at an offset; `None` beyond the end.
macro_rules! number {
    ($type:ty, $bytes:expr, $at:expr) => {
        $bytes
            .get($at..$at + size_of::<$type>())
            .and_then(|bytes| bytes.try_into().ok())
            .map(<$type>::from_le_bytes)
    };
}

struct Meta {
    page_bytes: u64,
    last_page: u64,
    transaction: u64,
    roots: [u64; 2],
}

/// Refuses a data file that is not LMDB's, is cut short, or whose pages contradict
/// themselves. A file that does not exist is fine: it will be made.
///
/// Errors: `Corrupt` with the file, the reason and the remedy.
pub fn check(path: &Path) -> Result<()> {
    let unreadable = |cause: std::io::Error| {
        Error::backend(
            Code::Unavailable,
            Retry::Safe,
            format!(
                "The data file {} could not be read: check its owner and the disk.",
                path.display()
            ),
        )
        .because(cause)
    };
    let file = match File::open(path) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(unreadable)?,
    };
    let file_bytes = file.metadata().map_err(unreadable)?.len();
    examine(&file, file_bytes).map_err(|reason| damaged_file(path, reason))
}

fn examine(file: &File, file_bytes: u64) -> Result<(), String> {
    let first = read_meta(file, 0)?;
    let second = read_meta(file, first.page_bytes)?;
    let newest = if second.transaction > first.transaction {
        second
    } else {
        first
    };
    let pages = file_bytes / newest.page_bytes;
    let short = newest.last_page >= pages;
    // A tree visits no page twice, so a walk that goes on after that many goes in circles.
    let pages_max = if short {
        pages
    } else {
        PAGES_CHECKED_MAX.min(pages)
    };
    let mut walk = Walk {
        file,
        page_bytes: newest.page_bytes,
        pages,
        ahead: VecDeque::new(),
    };
    for root in newest.roots {
        walk.visit_later(root)?;
    }
    for _ in 0..pages_max {
        match walk.ahead.pop_front() {
            Some(page) => walk.visit(page)?,
            None => return Ok(()),
        }
    }
    match pages_max == pages && !walk.ahead.is_empty() {
        true => Err("its pages refer to each other in a circle".to_owned()),
        false => Ok(()),
    }
}

fn read_meta(file: &File, offset: u64) -> Result<Meta, String> {
    let mut bytes = [0; META_BYTES];
    file.read_exact_at(&mut bytes, offset)
        .map_err(|_| "it ends within its first pages".to_owned())?;
    let parsed = || {
        let flags = number!(u16, bytes, 10)?;
        let body = &bytes[PAGE_HEADER_BYTES..];
        let found = (number!(u32, body, 0)?, number!(u32, body, 4)?);
        let meta = Meta {
            page_bytes: number!(u32, body, 24)?.into(),
            roots: [
                number!(u64, body, 24 + 40)?,
                number!(u64, body, 24 + 48 + 40)?,
            ],
            last_page: number!(u64, body, 120)?,
            transaction: number!(u64, body, 128)?,
        };
        let page_is_plausible =
            meta.page_bytes.is_power_of_two() && (512..=65_536).contains(&meta.page_bytes);
        (flags & PAGE_META != 0 && found == (MAGIC, VERSION) && page_is_plausible).then_some(meta)
    };
    parsed().ok_or_else(|| "its head is not that of a database of this version".to_owned())
}

struct Walk<'a> {
    file: &'a File,
    page_bytes: u64,
    /// Whole pages in the file.
    pages: u64,
    ahead: VecDeque<u64>,
}

impl Walk<'_> {
    fn visit_later(&mut self, page: u64) -> Result<(), String> {
        if page == NO_PAGE {
            return Ok(());
        }
        self.must_exist(page, 1)?;
        self.ahead.push_back(page);
        Ok(())
    }

    fn must_exist(&self, page: u64, count: u64) -> Result<(), String> {
        match page.checked_add(count) {
            Some(end) if end <= self.pages => Ok(()),
            _ => Err(format!(
                "page {page} is in use but the file ends after {} pages: it was cut short",
                self.pages
            )),
        }
    }

    fn read(&self, page: u64, bytes: &mut [u8]) -> Result<(), String> {
        self.file
            .read_exact_at(bytes, page * self.page_bytes)
            .map_err(|cause| format!("page {page} could not be read: {cause}"))
    }

    fn visit(&mut self, page: u64) -> Result<(), String> {
        let mut bytes = vec![0; self.page_bytes as usize];
        self.read(page, &mut bytes)?;
        let overwritten = || format!("page {page} is overwritten");
        let flags = number!(u16, bytes, 10).ok_or_else(overwritten)?;
        let lower = usize::from(number!(u16, bytes, 12).ok_or_else(overwritten)?);
        let upper = usize::from(number!(u16, bytes, 14).ok_or_else(overwritten)?);
        let is_branch = flags & PAGE_BRANCH != 0;
        let sane = number!(u64, bytes, 0) == Some(page)
            && is_branch != (flags & PAGE_LEAF != 0)
            && PAGE_HEADER_BYTES <= lower
            && lower <= upper
            && upper <= bytes.len();
        if !sane {
            return Err(overwritten());
        }
        for pointer in (PAGE_HEADER_BYTES..lower).step_by(2) {
            let node = number!(u16, bytes, pointer).and_then(|at| bytes.get(usize::from(at)..));
            self.visit_node(is_branch, node.ok_or_else(overwritten)?)
                .ok_or_else(overwritten)??;
        }
        Ok(())
    }

    /// `None` when the node reaches beyond its page.
    fn visit_node(&mut self, is_branch: bool, node: &[u8]) -> Option<Result<(), String>> {
        let low = u64::from(number!(u16, node, 0)?);
        let high = u64::from(number!(u16, node, 2)?);
        let flags = number!(u16, node, 4)?;
        if is_branch {
            return Some(self.visit_later(low | high << 16 | u64::from(flags) << 32));
        }
        let key_bytes = usize::from(number!(u16, node, 6)?);
        let data = node.get(8 + key_bytes..)?;
        if flags & NODE_BIG != 0 {
            return Some(self.visit_overflow(number!(u64, data, 0)?));
        }
        if flags & NODE_SUB_DATABASE != 0 {
            return Some(self.visit_later(number!(u64, data, 40)?));
        }
        data.get(..(low | high << 16) as usize).map(|_| Ok(()))
    }

    fn visit_overflow(&self, page: u64) -> Result<(), String> {
        self.must_exist(page, 1)?;
        let mut head = [0; PAGE_HEADER_BYTES];
        self.read(page, &mut head)?;
        let flags = number!(u16, head, 10).unwrap_or(0);
        if number!(u64, head, 0) != Some(page) || flags & PAGE_OVERFLOW == 0 {
            return Err(format!("page {page} is overwritten"));
        }
        self.must_exist(page, number!(u32, head, 12).unwrap_or(0).into())
    }
}

#[cfg(test)]
mod tests;
