//! Starts and ends the program, on a device and on a host.

#[cfg(target_os = "none")]
mod device {
    use core::panic::PanicInfo;

    use cortex_m_semihosting::debug::{self, ExitStatus};

    use crate::Memory;

    #[cortex_m_rt::entry]
    fn main() -> ! {
        static mut MEMORY: Memory = Memory::new();
        end(crate::run(MEMORY).is_ok())
    }

    /// Reports the result to the emulator or debugger.
    fn end(well: bool) -> ! {
        loop {
            debug::exit(if well { ExitStatus::Ok(()) } else { ExitStatus::Err(()) });
        }
    }

    #[panic_handler]
    fn panic(_: &PanicInfo<'_>) -> ! {
        end(false)
    }
}

#[cfg(not(target_os = "none"))]
mod host {
    use core::ffi::c_int;
    use core::panic::PanicInfo;

    use crate::{Failure, Memory};

    #[expect(unsafe_code, reason = "the C library asks for this name")]
    #[unsafe(no_mangle)]
    extern "C" fn main() -> c_int {
        match crate::run(&mut Memory::new()) {
            Ok(()) => 0,
            Err(Failure::Undecodable) => 1,
            Err(Failure::WrongBytes) => 2,
            Err(Failure::DamageUnnoticed) => 3,
        }
    }

    #[panic_handler]
    fn panic(_: &PanicInfo<'_>) -> ! {
        loop {}
    }
}
