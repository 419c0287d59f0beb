"""Collectors that have been taken over: each says up to 16 MiB of one kind, the most that is read of one.

Every program ends with an end line, so that nothing but what it said is held against it. Lines are at their
ceilings: 64 KiB, keys of 1,000 characters, 20,000 discoveries.
"""

from collections.abc import Mapping

_LINE = 64 * 1024 - 200
_MANY = """
out = sys.stdout
budget = 16 * 1024 * 1024 - 100_000
said = 0
def emit(line):
    global budget
    budget -= len(line.encode("utf-8", "surrogatepass")) + 1
    if budget < 0:
        return False
    out.write(line + "\\n")
    return True
def found(number, data="{}", key=None, kind="web_app"):
    global said
    key = key or f"10.213.0.{number % 250 + 1}:{number % 60000 + 1}/tcp"
    said += 1
    return emit('{"type":"discovery","kind":"%s","key":"%s","data":%s,"confidence":0.9}' % (kind, key, data))
def end():
    out.write('{"type":"end","discoveries":%d}\\n' % said)
    out.flush()
"""
PROGRAMS: Mapping[str, str] = {
    name: _MANY + program + "\nend()\n"
    for name, program in {
        "values": f"""
data = '{{"a":[' + "[]," * ({_LINE} // 3 - 40) + "[]]}}"
number = 0
while found(number, data): number += 1
""",
        "objects": f"""
data = '{{"a":[' + '{{"":0}},' * ({_LINE} // 7 - 40) + "0]}}"
number = 0
while found(number, data): number += 1
""",
        "depth": f"""
half = {_LINE} // 2 - 60
data = '{{"a":' + "[" * half + "]" * half + "}}"
number = 0
while found(number, data): number += 1
""",
        "objects-keys": f"""
data = "{{" + ",".join(f'"{{n:04x}}":0' for n in range({_LINE} // 9 - 40)) + "}}"
number = 0
while found(number, data): number += 1
""",
        "long-keys": """
number = 0
while number < 19_990 and found(number, key=f"10.213.0.3:80/tcp/{number:05d}" + "/a" * 488): number += 1
""",
        "wide-keys": """
number = 0
while number < 19_990 and found(number, key=f"10.213.0.3:80/tcp/{number:05d}" + "a" * 960): number += 1
""",
        "findings": """
number = 0
while number < 19_990 and found(number, '{"title":"%s"}' % ("t" * 600), f"10.213.0.3:80/tcp/p{number}"):
    number += 1
""",
        "one-key": """
number = 0
while number < 19_990 and found(number, '{"title":"%d %s"}' % (number, "t" * 600), "10.213.0.3:80/tcp"):
    number += 1
""",
        "big-data": f"""
number = 0
while found(number, '{{"title":"%s"}}' % ("\\\\u0000" * ({_LINE} // 6 - 40))): number += 1
""",
        "numbers": """
number = 0
while found(number, '{"a":1%s,"b":1e999,"c":-1E-999999,"d":0.%s}' % ("0" * 30_000, "1" * 30_000)): number += 1
""",
        "odd-text": """
number = 0
odd = '"\\\\ud800"', '"\\\\ud83d\\\\ude00\\\\u202e"', "NaN", "Infinity", "-0", "1e400"
odd += '{"a":1,"a":2}', '"\\x00"'
while found(number, '{"title":%s}' % odd[number % len(odd)]): number += 1
""",
        "warnings": """
while emit('{"type":"warning","message":"%s"}' % ("<script>" * 60)): pass
""",
        "progress": """
number = 0
line = '{"type":"progress","done":%d,"total":4611686018427387904,"message":"' + "p" * 490 + '"}'
while emit(line % number): number += 1
""",
        "garbage-lines": """
while emit("}{" * 10): pass
""",
        "empty-lines": """
while emit(""): pass
""",
        "long-lines": """
while emit("x" * 1_000_000): pass
""",
    }.items()
}
