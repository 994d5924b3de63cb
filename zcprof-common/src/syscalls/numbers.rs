//! Every system call of x86-64 by its number: arch/x86/entry/syscalls/syscall_64.tbl up to Linux 6.18.

/// Declares the system calls: an enum whose discriminants are the kernel's numbers, and their names.
macro_rules! syscalls {
    ($($variant:ident = $number:literal $name:literal,)*) => {
        /// A system call. Its name is the kernel's, without `sys_`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(i32)]
        pub enum Syscall {
            $(#[doc = concat!("`", $name, "`.")] $variant = $number,)*
        }

        impl Syscall {
            /// Every system call, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The kernel's name, which is how it is printed and serialised.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The system call with that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            /// The kernel's number on x86-64.
            #[must_use]
            pub const fn number(self) -> i32 {
                self as i32
            }

            /// The system call with that number.
            #[must_use]
            pub const fn from_number(number: i32) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

syscalls! {
    Read = 0 "read", Write = 1 "write", Open = 2 "open", Close = 3 "close", Stat = 4 "stat",
    Fstat = 5 "fstat", Lstat = 6 "lstat", Poll = 7 "poll", Lseek = 8 "lseek", Mmap = 9 "mmap",
    Mprotect = 10 "mprotect", Munmap = 11 "munmap", Brk = 12 "brk", RtSigaction = 13 "rt_sigaction",
    RtSigprocmask = 14 "rt_sigprocmask", RtSigreturn = 15 "rt_sigreturn", Ioctl = 16 "ioctl",
    Pread64 = 17 "pread64", Pwrite64 = 18 "pwrite64", Readv = 19 "readv", Writev = 20 "writev",
    Access = 21 "access", Pipe = 22 "pipe", Select = 23 "select", SchedYield = 24 "sched_yield",
    Mremap = 25 "mremap", Msync = 26 "msync", Mincore = 27 "mincore", Madvise = 28 "madvise",
    Shmget = 29 "shmget", Shmat = 30 "shmat", Shmctl = 31 "shmctl", Dup = 32 "dup",
    Dup2 = 33 "dup2", Pause = 34 "pause", Nanosleep = 35 "nanosleep", Getitimer = 36 "getitimer",
    Alarm = 37 "alarm", Setitimer = 38 "setitimer", Getpid = 39 "getpid", Sendfile = 40 "sendfile",
    Socket = 41 "socket", Connect = 42 "connect", Accept = 43 "accept", Sendto = 44 "sendto",
    Recvfrom = 45 "recvfrom", Sendmsg = 46 "sendmsg", Recvmsg = 47 "recvmsg",
    Shutdown = 48 "shutdown", Bind = 49 "bind", Listen = 50 "listen",
    Getsockname = 51 "getsockname", Getpeername = 52 "getpeername", Socketpair = 53 "socketpair",
    Setsockopt = 54 "setsockopt", Getsockopt = 55 "getsockopt", Clone = 56 "clone",
    Fork = 57 "fork", Vfork = 58 "vfork", Execve = 59 "execve", Exit = 60 "exit",
    Wait4 = 61 "wait4", Kill = 62 "kill", Uname = 63 "uname", Semget = 64 "semget",
    Semop = 65 "semop", Semctl = 66 "semctl", Shmdt = 67 "shmdt", Msgget = 68 "msgget",
    Msgsnd = 69 "msgsnd", Msgrcv = 70 "msgrcv", Msgctl = 71 "msgctl", Fcntl = 72 "fcntl",
    Flock = 73 "flock", Fsync = 74 "fsync", Fdatasync = 75 "fdatasync", Truncate = 76 "truncate",
    Ftruncate = 77 "ftruncate", Getdents = 78 "getdents", Getcwd = 79 "getcwd", Chdir = 80 "chdir",
    Fchdir = 81 "fchdir", Rename = 82 "rename", Mkdir = 83 "mkdir", Rmdir = 84 "rmdir",
    Creat = 85 "creat", Link = 86 "link", Unlink = 87 "unlink", Symlink = 88 "symlink",
    Readlink = 89 "readlink", Chmod = 90 "chmod", Fchmod = 91 "fchmod", Chown = 92 "chown",
    Fchown = 93 "fchown", Lchown = 94 "lchown", Umask = 95 "umask",
    Gettimeofday = 96 "gettimeofday", Getrlimit = 97 "getrlimit", Getrusage = 98 "getrusage",
    Sysinfo = 99 "sysinfo", Times = 100 "times", Ptrace = 101 "ptrace", Getuid = 102 "getuid",
    Syslog = 103 "syslog", Getgid = 104 "getgid", Setuid = 105 "setuid", Setgid = 106 "setgid",
    Geteuid = 107 "geteuid", Getegid = 108 "getegid", Setpgid = 109 "setpgid",
    Getppid = 110 "getppid", Getpgrp = 111 "getpgrp", Setsid = 112 "setsid",
    Setreuid = 113 "setreuid", Setregid = 114 "setregid", Getgroups = 115 "getgroups",
    Setgroups = 116 "setgroups", Setresuid = 117 "setresuid", Getresuid = 118 "getresuid",
    Setresgid = 119 "setresgid", Getresgid = 120 "getresgid", Getpgid = 121 "getpgid",
    Setfsuid = 122 "setfsuid", Setfsgid = 123 "setfsgid", Getsid = 124 "getsid",
    Capget = 125 "capget", Capset = 126 "capset", RtSigpending = 127 "rt_sigpending",
    RtSigtimedwait = 128 "rt_sigtimedwait", RtSigqueueinfo = 129 "rt_sigqueueinfo",
    RtSigsuspend = 130 "rt_sigsuspend", Sigaltstack = 131 "sigaltstack", Utime = 132 "utime",
    Mknod = 133 "mknod", Uselib = 134 "uselib", Personality = 135 "personality",
    Ustat = 136 "ustat", Statfs = 137 "statfs", Fstatfs = 138 "fstatfs", Sysfs = 139 "sysfs",
    Getpriority = 140 "getpriority", Setpriority = 141 "setpriority",
    SchedSetparam = 142 "sched_setparam", SchedGetparam = 143 "sched_getparam",
    SchedSetscheduler = 144 "sched_setscheduler", SchedGetscheduler = 145 "sched_getscheduler",
    SchedGetPriorityMax = 146 "sched_get_priority_max",
    SchedGetPriorityMin = 147 "sched_get_priority_min",
    SchedRrGetInterval = 148 "sched_rr_get_interval", Mlock = 149 "mlock", Munlock = 150 "munlock",
    Mlockall = 151 "mlockall", Munlockall = 152 "munlockall", Vhangup = 153 "vhangup",
    ModifyLdt = 154 "modify_ldt", PivotRoot = 155 "pivot_root", Sysctl = 156 "_sysctl",
    Prctl = 157 "prctl", ArchPrctl = 158 "arch_prctl", Adjtimex = 159 "adjtimex",
    Setrlimit = 160 "setrlimit", Chroot = 161 "chroot", Sync = 162 "sync", Acct = 163 "acct",
    Settimeofday = 164 "settimeofday", Mount = 165 "mount", Umount2 = 166 "umount2",
    Swapon = 167 "swapon", Swapoff = 168 "swapoff", Reboot = 169 "reboot",
    Sethostname = 170 "sethostname", Setdomainname = 171 "setdomainname", Iopl = 172 "iopl",
    Ioperm = 173 "ioperm", CreateModule = 174 "create_module", InitModule = 175 "init_module",
    DeleteModule = 176 "delete_module", GetKernelSyms = 177 "get_kernel_syms",
    QueryModule = 178 "query_module", Quotactl = 179 "quotactl", Nfsservctl = 180 "nfsservctl",
    Getpmsg = 181 "getpmsg", Putpmsg = 182 "putpmsg", AfsSyscall = 183 "afs_syscall",
    Tuxcall = 184 "tuxcall", Security = 185 "security", Gettid = 186 "gettid",
    Readahead = 187 "readahead", Setxattr = 188 "setxattr", Lsetxattr = 189 "lsetxattr",
    Fsetxattr = 190 "fsetxattr", Getxattr = 191 "getxattr", Lgetxattr = 192 "lgetxattr",
    Fgetxattr = 193 "fgetxattr", Listxattr = 194 "listxattr", Llistxattr = 195 "llistxattr",
    Flistxattr = 196 "flistxattr", Removexattr = 197 "removexattr",
    Lremovexattr = 198 "lremovexattr", Fremovexattr = 199 "fremovexattr", Tkill = 200 "tkill",
    Time = 201 "time", Futex = 202 "futex", SchedSetaffinity = 203 "sched_setaffinity",
    SchedGetaffinity = 204 "sched_getaffinity", SetThreadArea = 205 "set_thread_area",
    IoSetup = 206 "io_setup", IoDestroy = 207 "io_destroy", IoGetevents = 208 "io_getevents",
    IoSubmit = 209 "io_submit", IoCancel = 210 "io_cancel", GetThreadArea = 211 "get_thread_area",
    LookupDcookie = 212 "lookup_dcookie", EpollCreate = 213 "epoll_create",
    EpollCtlOld = 214 "epoll_ctl_old", EpollWaitOld = 215 "epoll_wait_old",
    RemapFilePages = 216 "remap_file_pages", Getdents64 = 217 "getdents64",
    SetTidAddress = 218 "set_tid_address", RestartSyscall = 219 "restart_syscall",
    Semtimedop = 220 "semtimedop", Fadvise64 = 221 "fadvise64", TimerCreate = 222 "timer_create",
    TimerSettime = 223 "timer_settime", TimerGettime = 224 "timer_gettime",
    TimerGetoverrun = 225 "timer_getoverrun", TimerDelete = 226 "timer_delete",
    ClockSettime = 227 "clock_settime", ClockGettime = 228 "clock_gettime",
    ClockGetres = 229 "clock_getres", ClockNanosleep = 230 "clock_nanosleep",
    ExitGroup = 231 "exit_group", EpollWait = 232 "epoll_wait", EpollCtl = 233 "epoll_ctl",
    Tgkill = 234 "tgkill", Utimes = 235 "utimes", Vserver = 236 "vserver", Mbind = 237 "mbind",
    SetMempolicy = 238 "set_mempolicy", GetMempolicy = 239 "get_mempolicy", MqOpen = 240 "mq_open",
    MqUnlink = 241 "mq_unlink", MqTimedsend = 242 "mq_timedsend",
    MqTimedreceive = 243 "mq_timedreceive", MqNotify = 244 "mq_notify",
    MqGetsetattr = 245 "mq_getsetattr", KexecLoad = 246 "kexec_load", Waitid = 247 "waitid",
    AddKey = 248 "add_key", RequestKey = 249 "request_key", Keyctl = 250 "keyctl",
    IoprioSet = 251 "ioprio_set", IoprioGet = 252 "ioprio_get", InotifyInit = 253 "inotify_init",
    InotifyAddWatch = 254 "inotify_add_watch", InotifyRmWatch = 255 "inotify_rm_watch",
    MigratePages = 256 "migrate_pages", Openat = 257 "openat", Mkdirat = 258 "mkdirat",
    Mknodat = 259 "mknodat", Fchownat = 260 "fchownat", Futimesat = 261 "futimesat",
    Newfstatat = 262 "newfstatat", Unlinkat = 263 "unlinkat", Renameat = 264 "renameat",
    Linkat = 265 "linkat", Symlinkat = 266 "symlinkat", Readlinkat = 267 "readlinkat",
    Fchmodat = 268 "fchmodat", Faccessat = 269 "faccessat", Pselect6 = 270 "pselect6",
    Ppoll = 271 "ppoll", Unshare = 272 "unshare", SetRobustList = 273 "set_robust_list",
    GetRobustList = 274 "get_robust_list", Splice = 275 "splice", Tee = 276 "tee",
    SyncFileRange = 277 "sync_file_range", Vmsplice = 278 "vmsplice", MovePages = 279 "move_pages",
    Utimensat = 280 "utimensat", EpollPwait = 281 "epoll_pwait", Signalfd = 282 "signalfd",
    TimerfdCreate = 283 "timerfd_create", Eventfd = 284 "eventfd", Fallocate = 285 "fallocate",
    TimerfdSettime = 286 "timerfd_settime", TimerfdGettime = 287 "timerfd_gettime",
    Accept4 = 288 "accept4", Signalfd4 = 289 "signalfd4", Eventfd2 = 290 "eventfd2",
    EpollCreate1 = 291 "epoll_create1", Dup3 = 292 "dup3", Pipe2 = 293 "pipe2",
    InotifyInit1 = 294 "inotify_init1", Preadv = 295 "preadv", Pwritev = 296 "pwritev",
    RtTgsigqueueinfo = 297 "rt_tgsigqueueinfo", PerfEventOpen = 298 "perf_event_open",
    Recvmmsg = 299 "recvmmsg", FanotifyInit = 300 "fanotify_init",
    FanotifyMark = 301 "fanotify_mark", Prlimit64 = 302 "prlimit64",
    NameToHandleAt = 303 "name_to_handle_at", OpenByHandleAt = 304 "open_by_handle_at",
    ClockAdjtime = 305 "clock_adjtime", Syncfs = 306 "syncfs", Sendmmsg = 307 "sendmmsg",
    Setns = 308 "setns", Getcpu = 309 "getcpu", ProcessVmReadv = 310 "process_vm_readv",
    ProcessVmWritev = 311 "process_vm_writev", Kcmp = 312 "kcmp", FinitModule = 313 "finit_module",
    SchedSetattr = 314 "sched_setattr", SchedGetattr = 315 "sched_getattr",
    Renameat2 = 316 "renameat2", Seccomp = 317 "seccomp", Getrandom = 318 "getrandom",
    MemfdCreate = 319 "memfd_create", KexecFileLoad = 320 "kexec_file_load", Bpf = 321 "bpf",
    Execveat = 322 "execveat", Userfaultfd = 323 "userfaultfd", Membarrier = 324 "membarrier",
    Mlock2 = 325 "mlock2", CopyFileRange = 326 "copy_file_range", Preadv2 = 327 "preadv2",
    Pwritev2 = 328 "pwritev2", PkeyMprotect = 329 "pkey_mprotect", PkeyAlloc = 330 "pkey_alloc",
    PkeyFree = 331 "pkey_free", Statx = 332 "statx", IoPgetevents = 333 "io_pgetevents",
    Rseq = 334 "rseq", Uretprobe = 335 "uretprobe", Uprobe = 336 "uprobe",
    PidfdSendSignal = 424 "pidfd_send_signal", IoUringSetup = 425 "io_uring_setup",
    IoUringEnter = 426 "io_uring_enter", IoUringRegister = 427 "io_uring_register",
    OpenTree = 428 "open_tree", MoveMount = 429 "move_mount", Fsopen = 430 "fsopen",
    Fsconfig = 431 "fsconfig", Fsmount = 432 "fsmount", Fspick = 433 "fspick",
    PidfdOpen = 434 "pidfd_open", Clone3 = 435 "clone3", CloseRange = 436 "close_range",
    Openat2 = 437 "openat2", PidfdGetfd = 438 "pidfd_getfd", Faccessat2 = 439 "faccessat2",
    ProcessMadvise = 440 "process_madvise", EpollPwait2 = 441 "epoll_pwait2",
    MountSetattr = 442 "mount_setattr", QuotactlFd = 443 "quotactl_fd",
    LandlockCreateRuleset = 444 "landlock_create_ruleset",
    LandlockAddRule = 445 "landlock_add_rule", LandlockRestrictSelf = 446 "landlock_restrict_self",
    MemfdSecret = 447 "memfd_secret", ProcessMrelease = 448 "process_mrelease",
    FutexWaitv = 449 "futex_waitv", SetMempolicyHomeNode = 450 "set_mempolicy_home_node",
    Cachestat = 451 "cachestat", Fchmodat2 = 452 "fchmodat2",
    MapShadowStack = 453 "map_shadow_stack", FutexWake = 454 "futex_wake",
    FutexWait = 455 "futex_wait", FutexRequeue = 456 "futex_requeue", Statmount = 457 "statmount",
    Listmount = 458 "listmount", LsmGetSelfAttr = 459 "lsm_get_self_attr",
    LsmSetSelfAttr = 460 "lsm_set_self_attr", LsmListModules = 461 "lsm_list_modules",
    Mseal = 462 "mseal", Setxattrat = 463 "setxattrat", Getxattrat = 464 "getxattrat",
    Listxattrat = 465 "listxattrat", Removexattrat = 466 "removexattrat",
    OpenTreeAttr = 467 "open_tree_attr", FileGetattr = 468 "file_getattr",
    FileSetattr = 469 "file_setattr",
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::Syscall;
    use crate::layout::MAX_SYSCALLS;

    #[test]
    fn numbers_rise_and_fit_the_table() {
        assert!(Syscall::ALL.windows(2).all(|pair| pair[0].number() < pair[1].number()));
        let fits = |number: i32| usize::try_from(number).is_ok_and(|number| number < MAX_SYSCALLS);
        assert!(Syscall::ALL.iter().all(|syscall| fits(syscall.number())));
        assert_eq!(
            [-1, 334, 335, 337, 423].map(Syscall::from_number),
            [None, Some(Syscall::Rseq), Some(Syscall::Uretprobe), None, None]
        );
    }

    #[test]
    fn variants_are_called_as_the_kernel_calls_them() {
        for syscall in Syscall::ALL {
            let name = syscall.name();
            assert_eq!(std::format!("{syscall:?}").to_lowercase(), name.replace('_', ""));
            assert_eq!(Syscall::from_name(name), Some(*syscall));
            assert_eq!(Syscall::from_number(syscall.number()), Some(*syscall));
        }
        assert_eq!(["", "Read", "none", "#0"].map(Syscall::from_name), [None; 4]);
    }
}
