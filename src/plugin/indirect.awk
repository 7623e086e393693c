# Makes the calls of all but the smallest functions go through the table, in the optimised module as text (wasm-opt -S):
# awk -f indirect.awk MODULE.wat MODULE.wat >INDIRECT.wat
#
# Envoy's V8 compiles the whole module at load, with its optimising compiler alone. Without the baseline compiler it does
# not know which calls are frequent, and inlines what is called until each function has grown to four times its size: two
# thirds of Envoy's start with the plugin are spent on that. V8 never inlines what is called through a table. Such a call is
# four bytes longer and looks at the callee's type; the smallest functions stay as they are, since inlining them costs
# little and the four bytes would not.
#
# The file is read twice: first for the functions, then to write it. The table's elements are one segment.

BEGIN { smallest = 55 } # lines of text, of two bytes or so each

# The types of a function or an import, as a call through a table names them.
function types_of(text,    types, part) {
	types = ""
	while (match(text, /\((param|result) [^)]*\)/)) {
		part = substr(text, RSTART, RLENGTH)
		text = substr(text, RSTART + RLENGTH)
		sub(/\$[^ ]+ /, "", part)
		types = types " " part
	}
	return types
}

# The functions, their size, and those that are called.
FNR == NR && /^ \(func / {
	current = $2
	sub(/\)$/, "", current)
	order[++functions] = current
	types[current] = types_of($0)
}
FNR == NR && /^ *\(call \$/ {
	callee = $2
	sub(/\).*/, "", callee)
	is_called[callee] = 1
}
FNR == NR && /^ \(elem / {
	segments++
	match($0, /\(i32\.const [0-9]+\)/)
	first = substr($0, RSTART + 11, RLENGTH - 12)
	elements = split(substr($0, RSTART + RLENGTH), element, /[ )]+/)
	next_place = first
	for (i = 1; i <= elements; i++) if (element[i] ~ /^\$/) place[element[i]] = next_place++
}
FNR == NR {
	size[current]++
	next
}

# Between the two: a place in the table for each that has none.
FNR == 1 {
	if (segments != 1 || functions == 0) {
		print "indirect.awk: expected a module with functions and one segment of elements" >"/dev/stderr"
		failed = 1
		exit 1
	}
	added = ""
	for (i = 1; i <= functions; i++) {
		callee = order[i]
		if (!(callee in is_called) || size[callee] < smallest) continue
		is_indirect[callee] = 1
		if (callee in place) continue
		place[callee] = next_place++
		added = added " " callee
	}
}

/^ \(table / { sub(/[0-9]+ [0-9]+ funcref/, next_place " " next_place " funcref") }
/^ \(elem / { sub(/\)$/, added ")") }

# (call $FUNCTION, its operands on lines of their own, and the closing bracket with the same indentation; or all in one.
/^ *\(call \$/ {
	callee = $2
	is_whole = sub(/\).*/, "", callee)
	if (callee in is_indirect) {
		replaced++
		match($0, /^ */)
		indentation = substr($0, 1, RLENGTH)
		if (is_whole) {
			sub(/\(call [^)]*\)/, "(call_indirect" types[callee] " (i32.const " place[callee] "))")
		} else {
			open++
			opened[open] = indentation ")"
			open_place[open] = place[callee]
			print indentation "(call_indirect" types[callee]
			next
		}
	}
}
open > 0 && $0 == opened[open] {
	print substr($0, 1, length($0) - 1) " (i32.const " open_place[open] ")"
	open--
}

{ print }

END {
	if (!failed && (open > 0 || replaced == 0)) {
		print "indirect.awk: the calls are not written as expected" >"/dev/stderr"
		exit 1
	}
}
