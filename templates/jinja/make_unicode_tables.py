"""Writes unicode_tables.inl: the character properties that Python's str methods use, from the running interpreter (CPython 3.11, Unicode 14)."""

import pathlib
import sys

SURROGATES = range(0xD800, 0xE000)
CODE_POINTS = [c for c in range(sys.maxunicode + 1)]


def toggles(predicate):
    """Code points where membership of the set changes; a character is in the set when an odd number of them are <= it."""
    out, inside = [], False
    for code in CODE_POINTS:
        if predicate(chr(code)) != inside:
            inside = not inside
            out.append(code)
    return out


def runs(mapping):
    """Single-character mappings as (first, last, stride, delta)."""
    out = []
    for code, to in sorted(mapping.items()):
        delta = to - code
        if out:
            first, last, stride, old = out[-1]
            if old == delta and (code - last == stride or (first == last and code - last <= 2)):
                out[-1] = (first, code, code - last, delta)
                continue
        out.append((code, code, 1, delta))
    return out


def case(method):
    single, special = {}, {}
    for code in CODE_POINTS:
        if code in SURROGATES:
            continue
        to = method(chr(code))
        if len(to) != 1:
            special[code] = to
        elif ord(to) != code:
            single[code] = ord(to)
    return single, special


def fill(items, width=118):
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > width:
            lines.append(line)
            line = "   "
        line += f" {item},"
    return "\n".join(lines + [line])


def main():
    out = ["// Made by make_unicode_tables.py; do not edit.", "// clang-format off"]
    for name, predicate in [("Printable", str.isprintable), ("Alpha", str.isalpha), ("Decimal", str.isdecimal), ("Digit", str.isdigit),
                            ("Numeric", str.isnumeric), ("Upper", str.isupper), ("Lower", str.islower), ("Title", str.istitle)]:
        if name == "Title":  # istitle() of one character is also true of upper case
            values = toggles(lambda c: c.istitle() and not c.isupper())
        else:
            values = toggles(predicate)
        out.append(f"constexpr char32_t k{name}Toggles[] = {{\n{fill(f'{v:#x}' for v in values)}\n}};")
    upper, upper_special = case(str.upper)
    lower, lower_special = case(str.lower)
    title, title_special = case(str.title)
    for name, mapping in [("Upper", upper), ("Lower", lower)]:
        out.append(f"constexpr CaseRun k{name}Runs[] = {{\n{fill(f'{{{a:#x}, {b:#x}, {s}, {d}}}' for a, b, s, d in runs(mapping))}\n}};")
    differing = {c: title.get(c, c) for c in set(title) | set(upper) if title.get(c, c) != upper.get(c, c) and c not in title_special and c not in upper_special}
    out.append(f"constexpr CaseRun kTitleRuns[] = {{  // where title case is not upper case\n"
               f"{fill(f'{{{a:#x}, {b:#x}, {s}, {d}}}' for a, b, s, d in runs(differing))}\n}};")
    only_title = {c: t for c, t in title_special.items() if t != upper_special.get(c)}
    only_title |= {c: chr(title.get(c, c)) for c in upper_special if c not in title_special}
    for name, mapping in [("Upper", upper_special), ("Lower", lower_special), ("Title", only_title)]:
        literal = lambda text: '"' + "".join(f"\\u{ord(c):04x}" if ord(c) >= 0xa0 else c for c in text) + '"'
        out.append(f"constexpr CaseSpecial k{name}Specials[] = {{\n{fill(f'{{{c:#x}, {literal(t)}}}' for c, t in sorted(mapping.items()))}\n}};")
    out.append("// clang-format on\n")
    pathlib.Path(__file__).with_name("unicode_tables.inl").write_text("\n".join(out))


main()
