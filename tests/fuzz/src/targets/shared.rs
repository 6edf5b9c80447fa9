//! What the volume's own tests with arbitrary arguments are made of.

#[expect(dead_code, reason = "calls of the traits use more of it")]
#[path = "../../../../lv/tests/arbitrary/arguments.rs"]
pub(super) mod arguments;
#[expect(dead_code, reason = "the rest is for tests that are run there")]
#[cfg_attr(not(test), expect(unused_imports, reason = "as above"))]
#[path = "../../../../lv/tests/arbitrary/core.rs"]
pub(super) mod core;
#[expect(dead_code, reason = "the engine's own tests use more of it")]
#[path = "../../../../lv/tests/engine/support.rs"]
pub(super) mod support;
