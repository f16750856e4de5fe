import Foundation
import Testing

import Configuration

struct LoadTests {
    private func load(_ text: String, _ overrides: String...) throws -> Configuration {
        try Configuration.load(text: text, file: "etc/radialogd.conf", overrides: overrides)
    }

    private func problems(_ text: String, _ overrides: String...) -> [String] {
        do {
            _ = try Configuration.load(text: text, file: "etc/radialogd.conf", overrides: overrides)
            return []
        } catch {
            return error.description.split(separator: "\n").map(String.init)
        }
    }

    @Test func `without a file the defaults are in force, and listen on loopback only`() throws {
        let configuration = try Configuration.load(file: nil)
        #expect(configuration.dicom.bind == "127.0.0.1")
        #expect(configuration.dicom.aeTitle == "RADIALOGD")
        #expect(configuration.dicom.peers.isEmpty)
        #expect(configuration.study.quietPeriod == .seconds(30))
        #expect(configuration.stateDirectory == "/var/lib/radialogd")
        #expect(configuration.destinations.isEmpty)
        #expect(!configuration.model.allowDemonstration)
        #expect(configuration.decode.program == nil)
    }

    @Test func `an unknown key is refused with file, line, known keys and a suggestion`() {
        #expect(
            problems("\n[dicom]\n# prot\nprot = 104\n") == [
                "etc/radialogd.conf:4: dicom.prot: unknown key; did you mean port? known keys in [dicom] are ae_title, bind, port, peer, "
                    + "max_associations, association_timeout, idle_timeout, object_timeout, max_object_size, min_free_space, max_pdu"
            ])
        #expect(problems("[dicmo]\nport = 1\n")[0].hasPrefix("etc/radialogd.conf:1: dicmo: unknown key; did you mean dicom? "))
        #expect(problems("colour = 1\n")[0].hasPrefix("etc/radialogd.conf:1: colour: unknown key; known keys at the top of the file are state_dir, "))
    }

    @Test(arguments: [
        ("[dicom]\nport = 70000", "etc/radialogd.conf:2: dicom.port: 70000 is not allowed; an integer from 0 to 65535"),
        ("[dicom]\nport = \"104\"", "etc/radialogd.conf:2: dicom.port: \"104\" is not allowed; an integer from 0 to 65535"),
        ("dicom.port = 1.5", "etc/radialogd.conf:1: dicom.port: 1.5 is not allowed; an integer from 0 to 65535"),
        ("[dicom]\nbind = \"localhost\"", "etc/radialogd.conf:2: dicom.bind: \"localhost\" is not allowed; an IPv4 or IPv6 address of this machine"),
        ("[study]\nquiet_period = 30", "etc/radialogd.conf:2: study.quiet_period: 30 is not allowed; a string with a unit"),
        ("[study]\nquiet_period = \"30\"", "etc/radialogd.conf:2: study.quiet_period: \"30\" is not allowed; a string with a unit"),
        ("[study]\nquiet_period = \"99999999999999999s\"", "etc/radialogd.conf:2: study.quiet_period: "),
        ("[study]\nchest_body_parts = [\"chest\"]", "etc/radialogd.conf:2: study.chest_body_parts: [\"chest\"] is not allowed; "),
        ("[model]\nallow_demonstration = 1", "etc/radialogd.conf:2: model.allow_demonstration: 1 is not allowed; true or false"),
        ("[model]\nrendering = \"VOI\"", "etc/radialogd.conf:2: model.rendering: \"VOI\" is not allowed; \"bundle\", \"mimic-cxr-jpg\", \"voi\""),
        ("[decode]\nmax_memory = \"2 GB\"", "etc/radialogd.conf:2: decode.max_memory: \"2 GB\" is not allowed; a string with a unit"),
        ("[log]\nlevel = 2026-01-01", "etc/radialogd.conf:2: log.level: a date or time is not allowed; "),
        ("state_dir = \"\"", "etc/radialogd.conf:1: state_dir: \"\" is not allowed; the path of a folder"),
        ("[dicom.peer]\nae_title = \"A\"", "etc/radialogd.conf:1: dicom.peer: a table; an array of tables is expected: write [[dicom.peer]]"),
        ("dicom = 1", "etc/radialogd.conf:1: dicom: an integer; a table is expected: write [dicom] on a line of its own"),
        ("destination = [1]", "etc/radialogd.conf:1: destination[0]: an integer; a table is expected"),
    ])
    func `a wrong value is refused with file, line, key and what is allowed`(text: String, expected: String) throws {
        let problem = try #require(problems(text).first)
        #expect(problem.hasPrefix(expected), "\(problem)")
    }

    @Test func `all problems are told at once, in the order of the file`() {
        let found = problems("[log]\nlevel = \"loud\"\n[dicom]\nport = -1\nbing = \"\"\n[study]\nlease = \"0s\"\n", "web.port=x")
        #expect(found.map { $0.prefix { $0 != " " } } == ["etc/radialogd.conf:2:", "etc/radialogd.conf:4:", "etc/radialogd.conf:5:", "etc/radialogd.conf:7:", "--set"])
        #expect(found[4].hasPrefix("--set web.port=x: web.port: \"x\" is not allowed; "))
    }

    @Test(arguments: ["", "A B", " A", "A ", "ABCDEFGHIJKLMNOPQ", "A\\\\B", "Ä", "A\\tB"])
    func `an AE title is 1 to 16 printable ASCII characters without backslash`(title: String) {
        let found = problems("[dicom]\nae_title = \"\(title)\"")
        #expect(found.count == (title == "A B" ? 0 : 1))
    }

    @Test(arguments: ["0.0.0.0", "::", "10.1.2.3", "fe80::1"])
    func `without peers an address that others can reach refuses the start`(bind: String) throws {
        let found = problems("[dicom]\nbind = \"\(bind)\"")
        #expect(found.count == 1)
        #expect(found[0].hasPrefix("etc/radialogd.conf:2: dicom.bind: \"\(bind)\" is reachable from the network, and no [[dicom.peer]] says who may send"))
        let peer = "[[dicom.peer]]\nae_title = \"PACS\"\naddress = \"10.1.2.3\""
        #expect(try load("[dicom]\nbind = \"\(bind)\"\n" + peer).dicom.bind == bind)
    }

    @Test(arguments: ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
    func `loopback needs no peers`(bind: String) throws {
        #expect(try load("[dicom]\nbind = \"\(bind)\"").dicom.bind == bind)
    }

    @Test func `who may send`() throws {
        let open = try load("")
        #expect(open.admits(callingAETitle: "ANY", address: "127.0.0.1"))
        #expect(open.admits(callingAETitle: "ANY", address: "::ffff:127.0.0.1"))
        #expect(!open.admits(callingAETitle: "ANY", address: "10.1.2.3"))
        let closed = try load("dicom.peer = [{ae_title = \"CT 1\", address = \"10.1.0.0/16\"}, {ae_title = \"MR\", address = \"fd00::7\"}]")
        #expect(closed.admits(callingAETitle: "CT 1  ", address: "10.1.255.3"))
        #expect(closed.admits(callingAETitle: "CT 1", address: "::ffff:10.1.0.1"))
        #expect(closed.admits(callingAETitle: "MR", address: "fd00::7%eth0"))
        #expect(!closed.admits(callingAETitle: "CT 1", address: "10.2.0.1"))
        #expect(!closed.admits(callingAETitle: "ct 1", address: "10.1.0.1"))
        #expect(!closed.admits(callingAETitle: "MR", address: "10.1.0.1"))
        #expect(!closed.admits(callingAETitle: "ANY", address: "127.0.0.1"))
    }

    @Test(arguments: ["pacs", "10.1.2", "10.1.2.3/33", "10.1.2.3/24", "10.1.2.256", "::1/129", "10.1.2.3/", "", "10.1.2.0/024x"])
    func `a peer's address is a literal or a network without host bits`(address: String) {
        let found = problems("[[dicom.peer]]\nae_title = \"A\"\naddress = \"\(address)\"")
        #expect(found.count == 1 && found[0].hasPrefix("etc/radialogd.conf:3: dicom.peer[0].address: "))
    }

    @Test func `a peer without an address, and one that is there twice, are refused`() {
        #expect(problems("[[dicom.peer]]\nae_title = \"A\"\n")[0].hasPrefix("etc/radialogd.conf:1: dicom.peer[0].address: missing; an IPv4"))
        let peer = "[[dicom.peer]]\nae_title = \"A\"\naddress = \"10.0.0.1\"\n"
        #expect(problems(peer + peer) == ["etc/radialogd.conf:5: dicom.peer[1].ae_title: \"A\" at 10.0.0.1 is configured twice"])
    }

    @Test func `paths in the file start at its folder, and those in overrides at the working directory`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("radialogd-configuration-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: folder) } }
        let file = folder.appendingPathComponent("a.conf").path
        try "state_dir = \"state\"\n[model]\nbundle = \"../bundle\"\n[decode]\nprogram = \"/usr/bin/../bin/x\"\n".write(toFile: file, atomically: true, encoding: .utf8)
        let configuration = try Configuration.load(file: file, overrides: ["model.bundle=models/demo"])
        #expect(configuration.stateDirectory == folder.path + "/state")
        #expect(configuration.model.bundle == FileManager.default.currentDirectoryPath + "/models/demo")
        #expect(configuration.decode.program == "/usr/bin/x")
        #expect(try Configuration.load(file: file, overrides: ["state_dir=/a"], stateDirectory: "/b").stateDirectory == "/b")
        #expect(configuration.settings.first == .init(key: "state_dir", value: "\"\(folder.path)/state\"", origin: "\(file):1"))
    }

    @Test func `a file that cannot be read, or is no TOML, is named`() throws {
        #expect(throws: ConfigurationError.unreadable(file: "/nowhere/x.conf", reason: "there is no such file")) { try Configuration.load(file: "/nowhere/x.conf") }
        #expect(throws: ConfigurationError.self) { try Configuration.load(file: "/tmp") }
        #expect(problems("a = 1\nb = = 2\n")[0].hasPrefix("etc/radialogd.conf:2: not TOML: "))
        #expect(problems("a = 1\na = 2\n")[0].hasPrefix("etc/radialogd.conf:2: not TOML: "))
        #expect(problems("a = 1\n\u{0}b = 2\n") == ["etc/radialogd.conf:2: not TOML: a NUL character"])
    }

    @Test func `the description names every key with its value and where it comes from`() throws {
        let configuration = try load("[dicom]\nport = 104\n", "log.level=debug")
        let lines = configuration.describe().split(separator: "\n")
        #expect(lines.contains("dicom.port = 104  # etc/radialogd.conf:2"))
        #expect(lines.contains("log.level = \"debug\"  # --set"))
        #expect(lines.contains("study.quiet_period = \"30s\"  # default"))
        let json = try #require(try JSONSerialization.jsonObject(with: Data(configuration.json().utf8)) as? [String: Any])
        #expect((json["settings"] as? [[String: String]])?.count == configuration.settings.count)
    }

    @Test func `durations and sizes are written back as they are read`() {
        for text in ["0s", "1ms", "1500ms", "90s", "10m", "36h", "7d"] { #expect(Quantity.duration(text).map { Quantity.text($0) } == text) }
        for text in ["0B", "1B", "1023B", "64KiB", "3MiB", "1GiB", "2TiB"] { #expect(Quantity.size(text).map { Quantity.text(bytes: $0) } == text) }
        for text in ["", "s", "1", "-1s", "+1s", "1 s", "1.5s", "1S", "1e3s", "٣s", "9999999999999999s"] { #expect(Quantity.duration(text) == nil) }
        for text in ["", "1", "1K", "1kB", "1GB", "999999999999999TiB", "-1B"] { #expect(Quantity.size(text) == nil) }
    }
}
