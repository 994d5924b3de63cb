//! The states of the page cache that passes are measured in.

use anyhow::{Result, bail};
use zcprof_judge::storage::{Fill, Filler};

use super::bench::TestBench;
use super::workers::PAUSE;
use crate::cli;
use crate::fetch::cache;
use crate::run::{Cache, Doubt};

/// Times that the page cache is asked into its state before a pass is doubted.
const PREPARATIONS: u32 = 20;

impl TestBench {
    /// The states of the page cache that can be measured, of those that the user asked for, and
    /// why not the others.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn caches(&self, choice: cli::CacheChoice) -> Result<(Vec<Cache>, Option<String>)> {
        if !self.cached {
            log::warn!("the file has no page cache, so that it is neither warm nor cold");
            return Ok((vec![Cache::Uncached], None));
        }
        wanted(choice, self.file_system())
    }

    /// The state in which storage is asked for least.
    pub(super) fn warmest(&self) -> Cache {
        if self.cached { Cache::Warm } else { Cache::Uncached }
    }

    /// Brings the page cache into the state that a pass is for; a doubt if it does not obey.
    pub(super) fn prepare(&self, cache: Cache) -> Result<Option<Doubt>> {
        // A page that a socket buffer or a CPU's LRU batch still holds is not dropped at once.
        for attempt in 1.. {
            super::interrupt::check()?;
            match cache {
                Cache::Warm => cache::warm(&self.log)?,
                Cache::Cold => cache::evict(&self.log)?,
                Cache::Uncached => break,
            }
            let (resident, pages) = cache::resident_pages(&self.log)?;
            let wanted = if cache == Cache::Warm { pages } else { 0 };
            if resident == wanted {
                break;
            }
            if attempt == PREPARATIONS {
                return Ok(Some(Doubt::CacheState { resident, pages }));
            }
            super::stir::every_cpu()?;
            std::thread::sleep(PAUSE);
        }
        Ok(None)
    }
}

/// See [`TestBench::caches`].
fn wanted(choice: cli::CacheChoice, file_system: &str) -> Result<(Vec<Cache>, Option<String>)> {
    let why = Filler::find(file_system)
        .is_some_and(|row| row.fill == Fill::Memory)
        .then(|| format!("cold: what is on {file_system} is in the page cache and nowhere else"));
    match (choice, why) {
        (cli::CacheChoice::Warm, _) => Ok((vec![Cache::Warm], None)),
        (cli::CacheChoice::Cold, None) => Ok((vec![Cache::Cold], None)),
        (cli::CacheChoice::Both, None) => Ok((vec![Cache::Cold, Cache::Warm], None)),
        (cli::CacheChoice::Both, Some(why)) => Ok((vec![Cache::Warm], Some(why))),
        (cli::CacheChoice::Cold, Some(why)) => {
            bail!("nothing can be measured {why}; use --cache warm, or a log on a disk")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::CacheChoice::{Both, Cold, Warm};

    #[test]
    fn what_is_never_cold_is_measured_warm_alone_and_says_so() {
        let (caches, why) = wanted(Both, "tmpfs").expect("warm can be measured");
        assert_eq!(caches, [Cache::Warm]);
        assert!(why.is_some_and(|why| why.starts_with("cold: ") && why.contains("tmpfs")));
        let error = wanted(Cold, "tmpfs").unwrap_err().to_string();
        assert!(error.contains("cold") && error.contains("--cache warm"), "{error}");
        assert_eq!(wanted(Warm, "tmpfs").expect("can be"), (vec![Cache::Warm], None));
    }

    #[test]
    fn what_is_on_a_disk_is_measured_as_the_user_asks() {
        let caches = |choice| wanted(choice, "ext4").expect("can be");
        assert_eq!(caches(Both), (vec![Cache::Cold, Cache::Warm], None));
        assert_eq!(caches(Cold), (vec![Cache::Cold], None));
        assert_eq!(caches(Warm), (vec![Cache::Warm], None));
    }
}
