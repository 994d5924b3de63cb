//! Several jobs at a time: a guest that is emulated keeps about one CPU busy.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Does the jobs, so many at a time and in their order, and returns the outcome of each in that order.
pub(super) fn at_a_time<J: Send, T: Send>(
    number: usize,
    jobs: Vec<J>,
    work: impl Fn(J) -> T + Sync,
) -> Vec<T> {
    let waiting: Mutex<VecDeque<(usize, J)>> = Mutex::new(jobs.into_iter().enumerate().collect());
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..number.max(1) {
            scope.spawn(|| {
                loop {
                    // Let go of the list before the work begins: others wait for it.
                    let next = held(&waiting).pop_front();
                    let Some((at, job)) = next else { break };
                    let came = work(job);
                    held(&done).push((at, came));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, came)| came).collect()
}

fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn two_at_a_time_meet_and_results_keep_their_order() {
        let both = Barrier::new(2);
        let done = at_a_time(2, vec![3, 1, 2, 4], |job| {
            both.wait();
            job * 10
        });
        assert_eq!(done, [30, 10, 20, 40]);
        assert_eq!(at_a_time(0, vec![1], |job| job), [1], "somebody must do it");
    }
}
