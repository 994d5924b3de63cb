//! System calls as records name them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zcprof_common::layout::NO_SYSCALL;
use zcprof_common::syscalls::{PEEKS, Syscall, SyscallSpec};
use zcprof_common::vocabulary::Iter;

/// In which system call something was counted. Ordered by how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline)]
pub enum InSyscall {
    /// In none: `none`.
    None,
    /// In this one: its name.
    Known(Syscall),
    /// In this one, which only looks (MSG_PEEK): its name and `peeking`.
    Peeking(Syscall),
    /// In one that the table does not name: `#` and its number.
    Other(i32),
}

/// How [`InSyscall::None`] is written.
const NONE: &str = "none";

/// What the name of a system call that only looks ends with.
const PEEKING: &str = " peeking";

/// A text names no system call.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no system call that zcprof knows")]
pub struct UnknownSyscall(String);

impl InSyscall {
    /// What the programs say of the current system call.
    #[must_use]
    pub fn from_number(number: i32) -> Self {
        let looks = || Syscall::from_number(number & !PEEKS).filter(|syscall| syscall.may_peek());
        if number == NO_SYSCALL {
            Self::None
        } else if let Some(syscall) = Syscall::from_number(number) {
            Self::Known(syscall)
        } else {
            looks().map_or(Self::Other(number), Self::Peeking)
        }
    }

    /// The row of the table, if it moves data. One that only looks moves none.
    #[must_use]
    pub fn spec(self) -> Option<&'static SyscallSpec> {
        match self {
            Self::Known(syscall) => syscall.spec(),
            Self::None | Self::Peeking(_) | Self::Other(_) => None,
        }
    }

    /// Whether io_uring may work there; its workers are in none.
    #[must_use]
    pub fn may_be_by_ring(self) -> bool {
        self == Self::None || self == Syscall::IoUringEnter
    }

    /// What an iterator points at. Buffers that a program registered with io_uring are kernel memory to
    /// the iterator (ITER_BVEC: io_import_fixed(), io_uring/rsrc.c, 5.10 to 7.3) and are the program's
    /// own; what io_uring splices has no iterator of the kernel's that is copied.
    pub(crate) fn memory_of(self, iter: Iter) -> Iter {
        if iter == Iter::Kernel && self.may_be_by_ring() { Iter::User } else { iter }
    }

    /// As it is printed and serialised.
    fn text(self) -> Cow<'static, str> {
        match self {
            Self::None => NONE.into(),
            Self::Known(syscall) => syscall.name().into(),
            Self::Peeking(syscall) => format!("{}{PEEKING}", syscall.name()).into(),
            Self::Other(number) => format!("#{number}").into(),
        }
    }

    /// Several as they are printed.
    #[must_use]
    pub fn joined(syscalls: &[Self]) -> String {
        let texts: Vec<_> = syscalls.iter().map(|syscall| syscall.text()).collect();
        texts.join(", ")
    }
}

impl From<Syscall> for InSyscall {
    fn from(syscall: Syscall) -> Self {
        Self::Known(syscall)
    }
}

impl PartialEq<Syscall> for InSyscall {
    fn eq(&self, other: &Syscall) -> bool {
        *self == Self::Known(*other)
    }
}

impl Ord for InSyscall {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text().cmp(&other.text())
    }
}

impl PartialOrd for InSyscall {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for InSyscall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text())
    }
}

impl From<InSyscall> for String {
    fn from(syscall: InSyscall) -> Self {
        syscall.text().into_owned()
    }
}

impl FromStr for InSyscall {
    type Err = UnknownSyscall;

    fn from_str(text: &str) -> Result<Self, UnknownSyscall> {
        let known = || Syscall::from_name(text).map(Self::Known);
        let peeking = || {
            let syscall = text.strip_suffix(PEEKING).and_then(Syscall::from_name);
            syscall.filter(|syscall| syscall.may_peek()).map(Self::Peeking)
        };
        // A number may be written in one way only, so that a record stays as it is.
        let other = || {
            let number = text.strip_prefix('#').and_then(|number| number.parse().ok());
            number.map(Self::Other).filter(|other| other.text() == text)
        };
        let none = (text == NONE).then_some(Self::None);
        let found = none.or_else(known).or_else(peeking).or_else(other);
        found.ok_or_else(|| UnknownSyscall(text.to_owned()))
    }
}

impl TryFrom<String> for InSyscall {
    type Error = UnknownSyscall;

    fn try_from(text: String) -> Result<Self, UnknownSyscall> {
        text.parse()
    }
}

/// In which system calls named bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline)]
pub enum NamedSyscalls {
    /// In whichever the transfer makes: `any`.
    Any,
    /// In these: their names, with commas between them.
    These(Vec<Syscall>),
}

/// How [`NamedSyscalls::Any`] is written.
const ANY: &str = "any";

impl fmt::Display for NamedSyscalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str(ANY),
            Self::These(syscalls) => {
                let names: Vec<_> = syscalls.iter().map(|syscall| syscall.name()).collect();
                f.write_str(&names.join(", "))
            }
        }
    }
}

impl From<NamedSyscalls> for String {
    fn from(syscalls: NamedSyscalls) -> Self {
        syscalls.to_string()
    }
}

impl TryFrom<String> for NamedSyscalls {
    type Error = UnknownSyscall;

    fn try_from(text: String) -> Result<Self, UnknownSyscall> {
        if text == ANY {
            return Ok(Self::Any);
        }
        let syscalls: Option<_> = text.split(", ").map(Syscall::from_name).collect();
        syscalls.map(Self::These).ok_or(UnknownSyscall(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_called_as_everybody_calls_it() {
        let numbers = [NO_SYSCALL, 0, 40, 291, PEEKS + 45, PEEKS + 40, 100_000, i32::MIN];
        let texts = numbers.map(|number| InSyscall::from_number(number).to_string());
        assert_eq!(texts[..4], ["none", "read", "sendfile", "epoll_create1"]);
        assert_eq!(texts[4..], ["recvfrom peeking", "#552", "#100000", "#-2147483648"]);
        for (number, text) in numbers.into_iter().zip(texts) {
            assert_eq!(text.parse::<InSyscall>().ok(), Some(InSyscall::from_number(number)));
        }
    }

    #[test]
    fn text_that_names_no_system_call_is_refused() {
        let wrong = ["", "Read", "read ", "read peeking", " peeking", "#", "#+1", "#01", "#0x1"];
        for text in wrong.into_iter().chain(["#2147483648", "sendto, write", "any", "teleport"]) {
            let said = text.parse::<InSyscall>().expect_err(text).to_string();
            assert_eq!(said, format!("`{text}` is no system call that zcprof knows"));
        }
        for text in
            ["", "none", "#5", "sendto,write", "sendto, ", "recvfrom peeking", "sendto, any"]
        {
            assert!(NamedSyscalls::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn records_keep_their_text_and_its_order() {
        let sorted = r##"["#10","#9","none","recvfrom","recvfrom peeking","sendfile","sendto"]"##;
        let mut calls: Vec<InSyscall> = serde_json::from_str(sorted).expect("a list");
        calls.reverse();
        calls.sort();
        assert_eq!(serde_json::to_string(&calls).expect("written"), sorted);
        assert_eq!(InSyscall::joined(&calls[4..6]), "recvfrom peeking, sendfile");
        let named = r#"["any","sendto","sendto, write"]"#;
        let list: Vec<NamedSyscalls> = serde_json::from_str(named).expect("a list");
        assert_eq!(serde_json::to_string(&list).expect("written"), named);
    }
}
