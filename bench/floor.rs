//! `floor JOBS FILE…`: prints the seconds that libdeflate at level 6 alone needs for the files, with that many threads.
//!
//! Nothing that repairs a wheel can be faster, since what it changes must be deflated anew. Reading the files is not
//! in the time. The largest file goes first, so that the threads end together.

use std::sync::Mutex;
use std::time::Instant;

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let jobs: usize = args.next().unwrap_or_default().parse()?;
    let mut files = args.map(fs_err::read).collect::<Result<Vec<_>, _>>()?;
    files.sort_by_key(Vec::len);
    let largest = files.last().map_or(0, Vec::len);
    let queue = Mutex::new(files);
    let started = Instant::now();
    let deflated: usize = std::thread::scope(|scope| {
        let work = || {
            let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
            let mut out = vec![0; compressor.deflate_compress_bound(largest)];
            let mut total = 0;
            while let Some(file) = queue.lock().ok().and_then(|mut queue| queue.pop()) {
                total += compressor.deflate_compress(&file, &mut out).unwrap_or(0);
            }
            total
        };
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(0)).sum()
    });
    println!("{} {deflated}", started.elapsed().as_secs_f64());
    Ok(())
}
