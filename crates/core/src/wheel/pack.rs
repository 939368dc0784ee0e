//! Packs members in parallel and writes them in order, with bounded memory.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use super::{Archive, Entry, Method, Writer};
use crate::parallel::spawn;
use crate::{Bytes, Error, Result};

/// A member's contents, ready to be written.
pub struct Packed {
    /// How they are compressed.
    pub method: Method,
    /// CRC-32 of the contents.
    pub crc32: u32,
    /// sha256 of the contents.
    pub sha256: [u8; 32],
    /// Size of the contents in bytes.
    pub size: u64,
    data: Data,
}

enum Data {
    Deflated(Vec<u8>),
    Stored(Bytes),
}

impl Packed {
    /// The compressed bytes.
    pub fn data(&self) -> &[u8] {
        match &self.data {
            Data::Deflated(bytes) => bytes,
            Data::Stored(bytes) => bytes,
        }
    }
}

/// Hashes and compresses `contents`: `level` 0 stores, 1 to 12 are libdeflate's (a higher one is taken for 12).
/// What deflate does not make smaller is stored.
///
/// # Errors
/// When there is no memory for it.
pub fn pack(contents: Bytes, level: u32) -> Result<Packed> {
    let deflated = if level == 0 || contents.is_empty() { None } else { deflate(&contents, level)? };
    let (method, data) = match deflated {
        Some(bytes) => (Method::Deflated, Data::Deflated(bytes)),
        None => (Method::Stored, Data::Stored(contents.clone())),
    };
    Ok(Packed {
        method,
        crc32: crc32fast::hash(&contents),
        sha256: Sha256::digest(&contents[..]).into(),
        size: contents.len() as u64,
        data,
    })
}

/// The deflated bytes; `None` when they would be no fewer.
fn deflate(contents: &[u8], level: u32) -> Result<Option<Vec<u8>>> {
    let level = libdeflater::CompressionLvl::new(level.min(12) as i32)
        .map_err(|_| Error::new(format!("no compression level {level}")).hint("0 to 12 are possible"))?;
    let mut compressor = libdeflater::Compressor::new(level);
    // Libraries shrink to a third; the bound, which is more than the contents, is rarely needed.
    for room in [contents.len() / 2 + 4096, contents.len()] {
        let mut packed = vec![0; room];
        if let Ok(len) = compressor.deflate_compress(contents, &mut packed) {
            packed.truncate(len);
            packed.shrink_to_fit();
            return Ok((len < contents.len()).then_some(packed));
        }
    }
    Ok(None)
}

/// How to pack.
#[derive(Debug, Clone, Copy)]
pub struct WriteOptions {
    /// Threads that pack, 1 at least.
    pub jobs: usize,
    /// As for [`pack`].
    pub level: u32,
}

/// Makes a member's contents, in a worker thread.
pub type Produce<'a> = Box<dyn FnOnce() -> Result<Bytes> + Send + 'a>;

/// One member to write.
pub enum Item<'a> {
    /// A member that does not change.
    Raw {
        /// Where it is.
        archive: &'a Archive,
        /// Which one it is.
        index: usize,
    },
    /// A new or changed one.
    New {
        /// Its name and marks.
        entry: Entry,
        /// About how large it is in bytes; memory is planned with it.
        size: u64,
        /// Makes its contents. It may hold twice `size` while it runs.
        produce: Produce<'a>,
    },
}

/// A new or changed member that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its name.
    pub name: String,
    /// sha256 of its contents.
    pub sha256: [u8; 32],
    /// Its size in bytes.
    pub size: u64,
    /// Its size in the wheel in bytes.
    pub compressed_size: u64,
}

/// Writes `items` in their order. The contents of new members are made, hashed and compressed by `jobs` threads;
/// the bytes written do not depend on their number. `progress` gets the bytes of new members done so far, from
/// the calling thread. Gives the new members, in order.
///
/// Memory: what is in work and what waits to be written stay below 2.5 times the `jobs` largest items plus 16 MiB
/// (an item that exceeds that alone is worked on alone). An order by falling size keeps all threads busy longest.
///
/// # Errors
/// The first in the order of the items: a member can't be made, or the output can't be written.
pub fn write_members(
    writer: &mut Writer,
    options: &WriteOptions,
    items: Vec<Item<'_>>,
    progress: &dyn Fn(u64),
) -> Result<Vec<Written>> {
    let jobs = options.jobs.max(1);
    let mut plan = Vec::with_capacity(items.len());
    let mut queue = VecDeque::new();
    for item in items {
        match item {
            Item::Raw { archive, index } => plan.push(Step::Raw { archive, index }),
            Item::New { entry, size, produce } => {
                plan.push(Step::New(entry));
                queue.push_back(Job { slot: queue.len(), size, produce });
            }
        }
    }
    let shared = Shared::new(queue, jobs);
    std::thread::scope(|scope| {
        let workers = (0..jobs.min(shared.slots)).map(|_| spawn(scope, || shared.work(options.level)));
        let workers: Vec<_> = workers.map_while(|worker| worker.ok()).collect();
        if workers.is_empty() && shared.slots > 0 {
            let error = Error::new("the host gives this process no thread to pack with");
            return Err(error.hint("end other programs of this user, or raise `ulimit -u`").into());
        }
        let result = write_in_order(writer, &shared, plan, progress);
        shared.stop();
        // The scope itself waits for the closures only; after a join the threads and what they own are gone.
        for worker in workers {
            let _ = worker.join();
        }
        result
    })
}

enum Step<'a> {
    Raw { archive: &'a Archive, index: usize },
    New(Entry),
}

fn write_in_order(
    writer: &mut Writer,
    shared: &Shared<'_>,
    plan: Vec<Step<'_>>,
    progress: &dyn Fn(u64),
) -> Result<Vec<Written>> {
    let mut written = Vec::new();
    let mut done = 0u64;
    for step in plan {
        match step {
            Step::Raw { archive, index } => writer.raw(archive, index)?,
            Step::New(entry) => {
                let packed = shared.wait_for(written.len())?;
                writer.add(&entry, &packed)?;
                let compressed_size = packed.data().len() as u64;
                let (sha256, size) = (packed.sha256, packed.size);
                drop(packed);
                shared.give_back(compressed_size);
                done = done.saturating_add(size);
                progress(done);
                written.push(Written { name: entry.name, sha256, size, compressed_size });
            }
        }
    }
    Ok(written)
}

struct Job<'a> {
    slot: usize,
    size: u64,
    produce: Produce<'a>,
}

/// What the threads share: jobs not begun, results not written, and the memory that both cost.
struct Shared<'a> {
    state: Mutex<State<'a>>,
    changed: Condvar,
    slots: usize,
    budget: u64,
}

struct State<'a> {
    queue: VecDeque<Job<'a>>,
    results: Vec<Option<Result<Packed>>>,
    in_use: u64,
    stopped: bool,
}

impl<'a> Shared<'a> {
    fn new(queue: VecDeque<Job<'a>>, jobs: usize) -> Self {
        let mut sizes: Vec<u64> = queue.iter().map(|job| job.size).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        let largest = sizes.iter().take(jobs).fold(0u64, |sum, size| sum.saturating_add(*size));
        let slots = queue.len();
        Shared {
            state: Mutex::new(State {
                queue,
                results: (0..slots).map(|_| None).collect(),
                in_use: 0,
                stopped: false,
            }),
            changed: Condvar::new(),
            slots,
            budget: largest.saturating_mul(5) / 2 + (16 << 20),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'g>(&self, guard: MutexGuard<'g, State<'a>>) -> MutexGuard<'g, State<'a>> {
        self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker: takes jobs in order as memory allows.
    fn work(&self, level: u32) {
        while let Some((job, cost)) = self.take() {
            let run =
                std::panic::AssertUnwindSafe(|| (job.produce)().and_then(|contents| pack(contents, level)));
            // A panic must not leave the writing thread waiting for ever.
            let result = std::panic::catch_unwind(run).unwrap_or_else(|_| {
                Err(Error::new("a thread that packs members failed").hint("report this").into())
            });
            let kept = result.as_ref().map_or(0, |packed| packed.data().len() as u64);
            let mut state = self.lock();
            state.in_use = state.in_use.saturating_sub(cost).saturating_add(kept);
            if let Some(slot) = state.results.get_mut(job.slot) {
                *slot = Some(result);
            }
            drop(state);
            self.changed.notify_all();
        }
    }

    fn take(&self) -> Option<(Job<'a>, u64)> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            let cost = state.queue.front()?.size.saturating_mul(2);
            if state.in_use == 0 || state.in_use.saturating_add(cost) <= self.budget {
                state.in_use = state.in_use.saturating_add(cost);
                return state.queue.pop_front().map(|job| (job, cost));
            }
            state = self.wait(state);
        }
    }

    /// The result of one slot, once it is there.
    fn wait_for(&self, slot: usize) -> Result<Packed> {
        let mut state = self.lock();
        loop {
            match state.results.get_mut(slot) {
                Some(result) => {
                    if let Some(result) = result.take() {
                        return result;
                    }
                }
                None => return Err(Error::new("a member was written twice").into()),
            }
            state = self.wait(state);
        }
    }

    /// Says that a result was written and freed.
    fn give_back(&self, bytes: u64) {
        let mut state = self.lock();
        state.in_use = state.in_use.saturating_sub(bytes);
        drop(state);
        self.changed.notify_all();
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }
}
