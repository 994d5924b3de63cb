//! Code that a process wrote at run time. No table describes it, and it need not keep frame pointers.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// Bytes of the stack that a function gives back before it returns, if from a return address on it does
/// nothing else. So do the trampolines by which Python 3.12 and 3.13 show each of their functions
/// (`python3 -X perf`, Python/asm_trampoline.S). None if it does something else, or the process is gone.
pub(super) fn given_back(process: u32, return_address: u64) -> Option<u64> {
    let mut code = [0; 8];
    let memory = File::open(format!("/proc/{process}/mem")).ok()?;
    memory.read_exact_at(&mut code, return_address).ok()?;
    match code {
        // ret
        [0xc3, ..] => Some(0),
        // add $bytes,%rsp; ret
        [0x48, 0x83, 0xc4, bytes @ 0..0x80, 0xc3, ..] => Some(bytes.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::given_back;

    #[test]
    fn what_returns_at_once_is_told_from_what_does_something_before() {
        for (code, expected) in [
            // The end of Python's trampoline.
            ([0x48_u8, 0x83, 0xc4, 0x08, 0xc3, 0, 0, 0], Some(8)),
            ([0xc3, 0x48, 0x83, 0xc4, 0x08, 0xc3, 0, 0], Some(0)),
            // pop %rbp first; what is added is negative; mov %rax,%rdi first.
            ([0x48, 0x83, 0xc4, 0x08, 0x5d, 0xc3, 0, 0], None),
            ([0x48, 0x83, 0xc4, 0xf8, 0xc3, 0, 0, 0], None),
            ([0x48, 0x89, 0xc7, 0xc3, 0, 0, 0, 0], None),
        ] {
            // The compiler does not see who reads it.
            let there = std::hint::black_box(&code).as_ptr() as u64;
            assert_eq!(given_back(std::process::id(), there), expected, "{code:x?}");
        }
        assert_eq!(given_back(std::process::id(), 16), None, "nothing is mapped there");
        assert_eq!(given_back(u32::MAX, 16), None, "no such process");
    }
}
