import Testing

import Configuration

struct LineIndexTests {
    /// The line of `path` ("a.b[0]"), in a document that TOMLKit accepts.
    private func line(_ path: String, in lines: [String]) throws -> Int? {
        let text = lines.joined(separator: "\n")
        _ = try TOMLNode.parse(text)
        var keys: KeyPath = []
        for part in path.split(separator: ".") {
            let pieces = part.split(separator: "[")
            keys.append(.key(String(pieces[0])))
            for index in pieces.dropFirst() { keys.append(.index(try #require(Int(index.dropLast())))) }
        }
        return LineIndex(text).line(of: keys)
    }

    @Test(arguments: [
        ("a", 1), ("t", 4), ("t.b", 6), ("t.c", 7), ("t.c.d", 7), ("t.c.e", 8), ("t.q k", 9), ("t.sub", 11), ("t.sub.x", 12), ("u.v", 13),
    ])
    func `keys, dotted keys, quoted keys and tables are found`(path: String, expected: Int) throws {
        let document = [
            "a = 1", "# b = 0", "", "[t] # [t.b]", "# b = 1", "b = \"x\" # c", "c.d = 1", "c . \"e\" = 'y'", "\"q k\" = 1", "",
            "[ t.\"sub\" ]", "x = 1", "[u.v]",
        ]
        #expect(try line(path, in: document) == expected)
    }

    @Test(arguments: [
        ("a[0]", 1), ("a[0].x", 2), ("a[0].s.y", 4), ("a[1]", 5), ("a[1].x", 6), ("a[1].s", 7), ("a[1].s.y", 8), ("a[1].l[0].m", 10),
        ("a[1].l[1]", 11), ("a[1].l[1].m", 12),
    ])
    func `a header inside an array of tables belongs to its last element`(path: String, expected: Int) throws {
        let document = [
            "[[a]]", "x = 1", "[a.s]", "y = 1", "[[a]]", "x = 2", "[a.s]", "y = 2", "[[a.l]]", "m = 1", "[[a.l]]", "m = 2",
        ]
        #expect(try line(path, in: document) == expected)
    }

    @Test(arguments: [
        ("before", 1), ("text", 2), ("literal", 8), ("after", 12), ("list", 13), ("list[0]", 14), ("list[1]", 16), ("list[2][1]", 18),
        ("last", 20), ("last.z", 20),
    ])
    func `multi-line strings and arrays hide what looks like keys`(path: String, expected: Int) throws {
        let document = [
            "before = 1",
            "text = \"\"\"",
            "[before]",
            "after = 2 \\\"\"\" # not the end",
            "list = [",
            "\\\\",
            "x\"\"\"\"\"",
            "literal = '''",
            "after = \\",
            "]",
            "''''",
            "after = \"a # b \\\" = [\" # c",
            "list = [ # first",
            "  \"a, ]\", # before = 3",
            "",
            "  'b\\',",
            "  [1,",
            "   2], # after",
            "]",
            "last = { x = 1, y = [2], z = \"}\" }",
        ]
        #expect(try line(path, in: document) == expected)
    }

    @Test(arguments: [("d[0].port", 2), ("d[1].name", 3), ("z.y.x.w", 4)])
    func `keys of inline tables are found`(path: String, expected: Int) throws {
        let document = ["# d", "d = [ { name = \"a\", port = 1 }, # port", "  { name = \"b\" } ]\r", "z.y = {x.w = 3}\r", ""]
        #expect(try line(path, in: document) == expected)
    }

    @Test func `a missing key has the line of what it would stand in`() throws {
        #expect(try line("t.missing", in: ["", "[t]", "a = 1"]) == 2)
        #expect(try line("other", in: ["", "[t]", "a = 1"]) == nil)
    }

    @Test func `a byte order mark and escapes in keys do not mislead`() throws {
        let text = "\u{FEFF}\"a\\u0062c\" = 1\nd = 2"
        #expect(LineIndex(text).line(of: [.key("abc")]) == 1)
        #expect(LineIndex(text).line(of: [.key("d")]) == 2)
    }

    @Test func `no text makes the scan hang or crash`() {
        // The index is made for accepted documents; an override or a half-written file must not stop the program.
        let document = "a = [1, {b = \"\"\"x\n\"\"\"}]\n[[c.\"d\"]]\ne.f = '''\n''' # g\n"
        for count in 0...document.utf8.count {
            _ = LineIndex(String(decoding: document.utf8.prefix(count), as: UTF8.self))
            _ = LineIndex(String(decoding: document.utf8.dropFirst(count), as: UTF8.self))
        }
    }
}
