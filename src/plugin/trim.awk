# Trims the module, as text (wasm-opt -S), to what Envoy needs of it: awk -f trim.awk FULL.wat >TRIMMED.wat
#
# The proxy-wasm crate exports every callback of the ABI, and Envoy calls each one that is there: for every request, every
# chunk of a body, every answer. Those that this plugin has no use for go. So do the imports that only the crate's
# unused methods call: they stand in tables that nobody looks into, where a compiler can't see that they are unused.
#
# proxy_set_effective_context is called, and does nothing: Envoy calls in with that very context. It becomes a function
# that succeeds, since Envoy refuses it where `capability_restriction_config` does not list it, and the crate panics then.
# tests/abi/module.rs holds both lists.

function set(names, into,    count, each, i) {
	count = split(names, each, " ")
	for (i = 1; i <= count; i++) into[each[i]] = 1
}

BEGIN {
	set("memory _initialize proxy_abi_version_0_2_1 proxy_on_configure proxy_on_context_create proxy_on_delete " \
		"proxy_on_http_call_response proxy_on_memory_allocate proxy_on_request_headers proxy_on_tick proxy_on_vm_start",
		exported)
	set("clock_time_get environ_get environ_sizes_get fd_write proc_exit proxy_define_metric proxy_get_buffer_bytes " \
		"proxy_get_current_time_nanoseconds proxy_get_header_map_pairs proxy_get_header_map_value " \
		"proxy_get_shared_data proxy_http_call proxy_increment_metric proxy_log proxy_record_metric " \
		"proxy_send_local_response proxy_set_shared_data proxy_set_tick_period_milliseconds random_get", imported)
}

# (export "NAME" (func $NUMBER))
/^ \(export "/ {
	split($0, part, "\"")
	if (!(part[2] in exported)) next
}

# (import "MODULE" "NAME" (func $NUMBER (param …) (result i32))): a function of its own, behind all imports.
/^ \(import "/ {
	split($0, part, "\"")
	if (!(part[4] in imported)) {
		stub = part[5]
		sub(/\)\)$/, part[4] == "proxy_set_effective_context" ? " (i32.const 0))" : " (unreachable))", stub)
		stubs = stubs stub "\n"
		next
	}
}

/^\)$/ { printf "%s", stubs }

{ print }
