//! Filters of SCIM, as anybody who lists users may send them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| virga_uaa::fuzzing::filter(text));
