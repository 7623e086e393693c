#!/usr/bin/env python3
"""Finds files of one crate that import each other in a circle, and ends with 1 if there are any.

A file imports another when it names something that the other defines: by `use`, or by a path in the code. Names are
followed through re-exports to the file that defines them, and a re-export that its own file does not use is none.
Tests are left out. Cargo itself sees to it that crates form no circle.
"""
import pathlib
import re
import sys

SOURCES = pathlib.Path(__file__).resolve().parent.parent / "src"
ITEM = r"(?:fn|struct|enum|union|trait|type|const|static|macro_rules!)"
DEFINITION = re.compile(r"^(?:pub(?:\([^)]*\))? )?(?:async |unsafe |const |extern \"C\" )*" + ITEM + r"\s+(?:mut )?(\w+)", re.M)
MODULE = re.compile(r"^(?:pub(?:\([^)]*\))? )?mod (\w+);", re.M)
USE = re.compile(r"^[ \t]*(pub(?:\([^)]*\))? )?use ((?:[^;]|\n)*?);", re.M)
PATH = re.compile(r"(?<![\w:])((?:r#)?[a-z_]\w*(?:::\w+)+)")


def code(text):
    """The text without its tests, comments and string literals."""
    text = re.split(r"^#\[cfg\((?:all\()?test[^\]]*\]\n(?:#\[.*\n)*(?:pub(?:\([^)]*\))? )?mod \w+ \{", text, flags=re.M)[0]
    text = re.sub(r"#\[cfg\((?:all\()?test[^\]]*\]\n(?:#\[.*\n)*(?:pub(?:\([^)]*\))? )?(?:mod|use) [^;]*;", "", text)
    text = re.sub(r'b?r(#*)".*?"\1', '""', text, flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r"pub\(in [^)]*\)", "pub(crate)", text)
    return re.sub(r'"(?:\\.|[^"\\])*"', '""', text, flags=re.S)


def leaves(tree, prefix=()):
    """The paths of a use tree, each with the name that it gets."""
    tree = tree.strip()
    if tree.endswith("}"):
        head, _, body = tree.partition("{")
        prefix += tuple(part for part in head.strip().split("::") if part)
        depth, start = 0, 0
        for index, char in enumerate(body):
            depth += (char == "{") - (char == "}")
            if (char == "," and depth == 0) or depth < 0:
                if body[start:index].strip():
                    yield from leaves(body[start:index], prefix)
                start = index + 1
    else:
        path, _, alias = tree.partition(" as ")
        path = prefix + tuple(part for part in path.strip().split("::") if part)
        if path[-1] == "self":
            path = path[:-1]
        yield path, alias.strip() or path[-1]


class Crate:
    """The files of a crate by module, and what each defines, re-exports and uses."""

    def __init__(self, root):
        self.files, self.names = {}, {}
        self.walk((), root / "src" / "lib.rs", root / "src")

    def walk(self, module, path, folder):
        text = code(path.read_text())
        self.files[module] = path
        names = {name: ("item",) for name in DEFINITION.findall(text)}
        for name in MODULE.findall(text):
            below = [folder / f"{name}.rs", folder / name / "mod.rs"]
            child = next((path for path in below if path.exists()), None)
            if child:
                names[name] = ("module", module + (name,))
                self.walk(module + (name,), child, folder / name)
        uses = [(bool(public), path, name) for public, tree in USE.findall(text) for path, name in leaves(tree)]
        for _, path, name in uses:
            names.setdefault(name, ("use", path))
        self.names[module] = (names, uses, MODULE.sub("", USE.sub("", text)))

    def owner(self, module, path, hops=0):
        """The module that defines what the path leads to from this module; None outside of the crate."""
        at, path = module, list(path)
        if hops > 20:
            return None
        if path[0] == "crate":
            at, path = (), path[1:]
        while path and path[0] in ("self", "super"):
            at = at[:-1] if path[0] == "super" else at
            path = path[1:]
        for index, name in enumerate(path):
            kind = self.names[at][0].get(name)
            if kind is None:
                return at if index > 0 or at != module else None
            if kind[0] == "item":
                return at
            if kind[0] == "use":
                if kind[1][0] == name and len(kind[1]) == 1:
                    return None
                return self.owner(at, kind[1] + tuple(path[index + 1:]), hops + 1)
            at = kind[1]
        return at

    def imports(self, module):
        """The modules that this one takes something from, each with the names."""
        names, uses, text = self.names[module]
        found = {}
        paths = [tuple(path.split("::")) for path in PATH.findall(text)]
        paths += [path for public, path, name in uses if not public or re.search(rf"\b{name}\b", text)]
        for path in paths:
            owner = self.owner(module, path) if path[0] in ("crate", "self", "super") or path[0] in names else None
            if owner is not None and owner != module:
                found.setdefault(owner, set()).add(path[-1])
        return found


def circles(graph):
    """The strongly connected components of more than one node (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = []
            while not component or component[-1] != node:
                component.append(stack.pop())
            if len(component) > 1:
                found.append(sorted(component))

    for node in graph:
        if node not in index:
            visit(node)
    return found


def main():
    sys.setrecursionlimit(10_000)
    total = looked_at = 0
    for manifest in sorted(SOURCES.rglob("Cargo.toml")):
        crate = Crate(manifest.parent)
        graph = {module: crate.imports(module) for module in crate.files}
        shown = {module: str(path.relative_to(SOURCES)) for module, path in crate.files.items()}
        looked_at += len(graph)
        for circle in circles(graph):
            total += 1
            print("These import each other in a circle; move what they share to a file of its own:")
            for module in circle:
                for other in (other for other in graph[module] if other in circle):
                    print(f"  {shown[module]} -> {shown[other]}: {', '.join(sorted(graph[module][other]))}")
    print(f"{looked_at} files, {total} circles")
    sys.exit(1 if total or not looked_at else 0)


if __name__ == "__main__":
    main()
