//! An activity that returns its input as it is, straight on the contract in `wit/`: what is left
//! is the cost of the sandbox itself.

#[cfg(target_family = "wasm")]
mod component {
    #[expect(unsafe_code, reason = "generated: the canonical ABI passes raw memory")]
    #[allow(unreachable_pub, missing_debug_implementations, reason = "generated")]
    mod bindings {
        wit_bindgen::generate!({
            path: "../../../wit/activity",
            world: "activity",
            default_bindings_module: "super::bindings",
        });

        struct Noop;

        impl exports::cpe::activity::handler::Guest for Noop {
            fn run(input: String) -> Result<String, exports::cpe::activity::handler::Failure> {
                Ok(input)
            }
        }

        export!(Noop with_types_in self);
    }
}
