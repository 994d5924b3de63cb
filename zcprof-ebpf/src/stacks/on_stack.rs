//! Where a program finds the kernel's stack.

use core::ffi::c_void;

use aya_ebpf::EbpfContext;
use aya_ebpf::programs::{
    FEntryContext, FExitContext, ProbeContext, RawTracePointContext, RetProbeContext,
    TracePointContext,
};

/// A program's context, as far as it shows the kernel's stack.
pub(crate) trait OnStack: EbpfContext {
    /// An address on the kernel's stack that has the return addresses above it; null where there is none.
    fn stack(&self) -> *const c_void;
}

/// The context is a part of the stack: what a trampoline or `bpf_trace_run*()` was called with
/// (arch/x86/net/bpf_jit_comp.c and kernel/trace/bpf_trace.c, 5.10 to 7.3).
macro_rules! on_stack {
    ($($context:ty),*) => {
        $(impl OnStack for $context {
            #[inline(always)]
            fn stack(&self) -> *const c_void {
                self.as_ptr()
            }
        })*
    };
}

on_stack!(FEntryContext, FExitContext, RawTracePointContext);

/// The context is the interrupted registers.
macro_rules! has_registers {
    ($($context:ty),*) => {
        $(impl OnStack for $context {
            #[inline(always)]
            fn stack(&self) -> *const c_void {
                // SAFETY: the context's registers are valid while the program runs.
                unsafe { (*self.regs).rsp as *const c_void }
            }
        })*
    };
}

has_registers!(ProbeContext, RetProbeContext);

impl OnStack for TracePointContext {
    /// It is a record in a buffer of the CPU's.
    #[inline(always)]
    fn stack(&self) -> *const c_void {
        core::ptr::null()
    }
}
