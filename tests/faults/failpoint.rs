//! A SQLite that fails on demand: the n-th write to a file, step of a statement or allocation of memory after it was armed.

// SQLite takes its files, its memory and its handlers as C functions, and there is no other way to make them fail.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use libsqlite3_sys as ffi;

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    /// A write, and every later one until it is disarmed.
    FullDisk = 1,
    /// One write, truncation or flush.
    Disk,
    /// One allocation.
    Memory,
    /// A step of a statement: it is interrupted.
    Step,
}

static ARMED: AtomicU8 = AtomicU8::new(0);
/// How many more times all goes well.
static LEFT: AtomicI64 = AtomicI64::new(0);

/// Has the n-th occasion fail, counted from 1.
pub fn arm(fault: Fault, n: i64) {
    LEFT.store(n, Ordering::SeqCst);
    ARMED.store(fault as u8, Ordering::SeqCst);
}

/// Lets all go well again; whether anything failed.
pub fn disarm() -> bool {
    ARMED.store(0, Ordering::SeqCst);
    LEFT.load(Ordering::SeqCst) <= 0
}

fn fails(fault: Fault) -> bool {
    if ARMED.load(Ordering::SeqCst) != fault as u8 {
        return false;
    }
    let left = LEFT.fetch_sub(1, Ordering::SeqCst) - 1;
    left == 0 || (left < 0 && fault == Fault::FullDisk)
}

type File = *mut ffi::sqlite3_file;

/// How the system's files work: those of databases, and others, which are not locked.
static METHODS: [OnceLock<ffi::sqlite3_io_methods>; 2] = [OnceLock::new(), OnceLock::new()];
static FAILING: [OnceLock<ffi::sqlite3_io_methods>; 2] = [OnceLock::new(), OnceLock::new()];
static MEMORY: OnceLock<Shared<ffi::sqlite3_mem_methods>> = OnceLock::new();
static SYSTEM: OnceLock<Shared<*mut ffi::sqlite3_vfs>> = OnceLock::new();

/// What SQLite keeps as long as the process, and nobody changes after `install`.
struct Shared<T>(T);
// SAFETY: it is only read.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

/// Has every connection of this process made from now on use what fails. SQLite must not have been used before.
pub fn install() {
    static ONCE: OnceLock<()> = OnceLock::new();
    // SAFETY: this runs once, before SQLite is initialised by anybody; what is handed over lives as long as the process.
    ONCE.get_or_init(|| unsafe {
        let mut memory = std::mem::zeroed::<ffi::sqlite3_mem_methods>();
        assert_eq!(ffi::sqlite3_config(ffi::SQLITE_CONFIG_GETMALLOC, &raw mut memory), ffi::SQLITE_OK);
        let system = &MEMORY.get_or_init(|| Shared(memory)).0;
        memory.xMalloc = Some(allocate);
        memory.xRealloc = Some(reallocate);
        let failing: &'static ffi::sqlite3_mem_methods = Box::leak(Box::new(memory));
        assert!(system.xMalloc.is_some());
        assert_eq!(ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, &raw const *failing), ffi::SQLITE_OK);
        assert_eq!(ffi::sqlite3_initialize(), ffi::SQLITE_OK);

        let system = ffi::sqlite3_vfs_find(null());
        SYSTEM.get_or_init(|| Shared(system));
        let failing = Box::leak(Box::new(std::ptr::read(system)));
        const NAME: &CStr = c"failpoint";
        failing.zName = NAME.as_ptr();
        failing.pNext = null_mut();
        failing.xOpen = Some(open);
        assert_eq!(ffi::sqlite3_vfs_register(failing, 1), ffi::SQLITE_OK);
        assert_eq!(ffi::sqlite3_auto_extension(Some(watch)), ffi::SQLITE_OK);
    });
}

unsafe extern "C" fn allocate(bytes: c_int) -> *mut c_void {
    match MEMORY.get().and_then(|memory| memory.0.xMalloc) {
        // SAFETY: handed on as it came.
        Some(system) if !fails(Fault::Memory) => unsafe { system(bytes) },
        _ => null_mut(),
    }
}

unsafe extern "C" fn reallocate(old: *mut c_void, bytes: c_int) -> *mut c_void {
    match MEMORY.get().and_then(|memory| memory.0.xRealloc) {
        // SAFETY: as above.
        Some(system) if !fails(Fault::Memory) => unsafe { system(old, bytes) },
        _ => null_mut(),
    }
}

unsafe extern "C" fn watch(
    connection: *mut ffi::sqlite3,
    _error: *mut *mut c_char,
    _api: *const ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: the connection is being opened, and the handler needs no data.
    unsafe { ffi::sqlite3_progress_handler(connection, 1, Some(step), null_mut()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn step(_: *mut c_void) -> c_int {
    c_int::from(fails(Fault::Step))
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: File,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let Some(system) = SYSTEM.get() else { return ffi::SQLITE_CANTOPEN };
    // SAFETY: the system's own way to open, with what SQLite handed over; a file that was opened has its methods, which are
    // replaced by others that hand on to them.
    unsafe {
        let Some(really) = (*system.0).xOpen else { return ffi::SQLITE_CANTOPEN };
        let opened = really(system.0, name, file, flags, out);
        if opened == ffi::SQLITE_OK && !(*file).pMethods.is_null() {
            let kind = usize::from(flags & ffi::SQLITE_OPEN_MAIN_DB == 0);
            let methods = *METHODS[kind].get_or_init(|| *(*file).pMethods);
            (*file).pMethods = FAILING[kind].get_or_init(|| {
                let mut failing = methods;
                if kind == 0 {
                    failing.xWrite = Some(write::<0>);
                    failing.xTruncate = Some(truncate::<0>);
                    failing.xSync = Some(sync::<0>);
                } else {
                    failing.xWrite = Some(write::<1>);
                    failing.xTruncate = Some(truncate::<1>);
                    failing.xSync = Some(sync::<1>);
                }
                failing
            });
        }
        opened
    }
}

unsafe extern "C" fn write<const KIND: usize>(file: File, data: *const c_void, bytes: c_int, at: i64) -> c_int {
    if fails(Fault::FullDisk) {
        return ffi::SQLITE_FULL;
    }
    match METHODS[KIND].get().and_then(|methods| methods.xWrite) {
        // SAFETY: handed on as it came.
        Some(system) if !fails(Fault::Disk) => unsafe { system(file, data, bytes, at) },
        _ => ffi::SQLITE_IOERR_WRITE,
    }
}

unsafe extern "C" fn truncate<const KIND: usize>(file: File, size: i64) -> c_int {
    match METHODS[KIND].get().and_then(|methods| methods.xTruncate) {
        // SAFETY: as above.
        Some(system) if !fails(Fault::Disk) => unsafe { system(file, size) },
        _ => ffi::SQLITE_IOERR_TRUNCATE,
    }
}

unsafe extern "C" fn sync<const KIND: usize>(file: File, flags: c_int) -> c_int {
    match METHODS[KIND].get().and_then(|methods| methods.xSync) {
        // SAFETY: as above.
        Some(system) if !fails(Fault::Disk) => unsafe { system(file, flags) },
        _ => ffi::SQLITE_IOERR_FSYNC,
    }
}
