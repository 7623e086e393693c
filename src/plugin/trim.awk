# Trims the module, as text with the names of its functions (wasm-opt -S -g), to what Envoy needs of it:
# awk -f trim.awk FULL.wat >TRIMMED.wat
#
# The proxy-wasm crate exports every callback of the ABI, and Envoy calls each one that is there: for every request, every
# chunk of a body, every answer. Those that this plugin has no use for go.
#
# The crate's contexts have a hundred methods that nobody calls. They stand in tables, where no compiler can see that;
# their bodies go, and with them what only they need. Kept are those by which the crate calls in.
#
# proxy_set_effective_context is called, and does nothing: Envoy calls in with that very context. It becomes a function
# that succeeds, since Envoy refuses it where `capability_restriction_config` does not list it, and the crate panics then.
#
# tests/abi/module.rs holds what is left.

BEGIN {
	count = split("memory _initialize proxy_abi_version_0_2_1 proxy_on_configure proxy_on_context_create proxy_on_delete " \
		"proxy_on_http_call_response proxy_on_memory_allocate proxy_on_request_headers proxy_on_tick proxy_on_vm_start",
		names, " ")
	for (i = 1; i <= count; i++) is_needed[names[i]] = 1
}

# (export "NAME" (func $FUNCTION))
/^ \(export "/ {
	split($0, part, "\"")
	if (!(part[2] in is_needed)) next
}

# (import "env" "NAME" (func $FUNCTION (param i32) (result i32))): a function of its own, behind all imports.
/^ \(import "env" "proxy_set_effective_context" / {
	split($0, part, "\"")
	stub = part[5]
	sub(/\)\)$/, " (i32.const 0))", stub)
	next
}
/^\)$/ { print stub }

# (func $FUNCTION (param …) (result …) …), the closing bracket on a line of its own.
/^ \(func \$_R[^ ]*10proxy_wasm[^ ]*6traits[0-9]+[A-Za-z]*Context[0-9]/ && !/Context[0-9]+(on_|create_|get_type)/ {
	print
	print "  (unreachable)"
	is_body = 1
	trimmed++
}
is_body && /^ \)$/ { is_body = 0 }
is_body { next }

{ print }

# Names that are mangled in another way would leave all of them.
END {
	if (trimmed == 0) {
		print "trim.awk: no method of the contexts was found; are the names mangled in another way?" >"/dev/stderr"
		exit 1
	}
}
