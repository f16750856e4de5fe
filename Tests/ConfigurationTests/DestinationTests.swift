import ReportModel
import Testing

import Configuration

struct DestinationTests {
    private static let hl7 = "[[destination]]\nname = \"ris\"\nkind = \"hl7\"\nhost = \"ris\"\nport = 2575\n"
    private static let dicom = "[[destination]]\nname = \"pacs\"\nkind = \"dicom\"\nhost = \"10.0.0.1\"\nport = 104\nae_title = \"PACS\"\n"
    private static let folder = "[[destination]]\nname = \"out\"\nkind = \"folder\"\npath = \"/srv/out\"\n"

    private func load(_ text: String, _ overrides: String...) throws(ConfigurationError) -> [Destination] {
        try Configuration.load(text: text, file: "c", overrides: overrides).destinations
    }

    private func problem(_ text: String, _ overrides: String...) -> String {
        do {
            _ = try Configuration.load(text: text, file: "c", overrides: overrides)
            return ""
        } catch {
            return error.description
        }
    }

    @Test func `each kind has its defaults`() throws {
        let destinations = try load(Self.hl7 + Self.dicom + Self.folder, "dicom.ae_title=ME")
        #expect(destinations.map(\.kind) == [.hl7, .dicom, .folder])
        #expect(destinations.allSatisfy { $0.isEnabled && $0.receives == [.signed] && $0.retry.giveUpAfter == nil })
        guard case .hl7(let hl7) = destinations[0].endpoint, case .dicom(let dicom) = destinations[1].endpoint,
            case .folder(let folder) = destinations[2].endpoint
        else { return #expect(Bool(false), "kinds") }
        #expect(hl7.format.version == .v2_5_1 && hl7.format.draftStatus == .resultsStored && hl7.format.charset == .utf8)
        #expect(hl7.ackTimeout == .seconds(60) && hl7.port == 2575)
        #expect(dicom.callingAETitle == "ME" && dicom.aeTitle == "PACS")
        #expect(folder.documents == [.oru, .sr] && folder.path == "/srv/out")
    }

    @Test func `a key of another kind is unknown, and the known ones of this kind are told`() {
        #expect(problem(Self.folder + "host = \"x\"\n").hasPrefix("c:5: destination[0].host: unknown key; known keys of a destination of kind \"folder\" are name, kind, "))
        #expect(problem(Self.dicom + "draft_status = \"R\"\n").hasPrefix("c:7: destination[0].draft_status: unknown key; "))
        #expect(problem(Self.hl7 + "ackTimeout = \"1s\"\n").hasPrefix("c:6: destination[0].ackTimeout: unknown key; did you mean ack_timeout? "))
    }

    @Test func `what a kind needs is asked for, with the line of the block`() {
        #expect(problem("\n[[destination]]\nname = \"a\"\nkind = \"dicom\"\n") == """
            c:2: destination[0].host: missing; a host name or an IPv4 or IPv6 address without brackets and port
            c:2: destination[0].port: missing; an integer from 1 to 65535
            c:2: destination[0].ae_title: missing; an AE title: 1 to 16 printable ASCII characters, no backslash, no space at either end
            """)
        #expect(problem("[[destination]]\nname = \"a\"\nhost = \"x\"\n") == "c:1: destination[0].kind: missing; \"hl7\", \"dicom\", \"folder\"")
        #expect(problem("[[destination]]\nname = \"a\"\nkind = \"fax\"\nnumber = 1\n") == "c:3: destination[0].kind: \"fax\" is not allowed; \"hl7\", \"dicom\", \"folder\"")
    }

    @Test func `draft status P is refused toward an archive`() throws {
        #expect(problem(Self.hl7 + "archive = true\ndraft_status = \"P\"\n").hasPrefix("c:7: destination[0].draft_status: \"P\" is refused toward an archive"))
        #expect(try load(Self.hl7 + "archive = true\n").count == 1)
        #expect(try load(Self.hl7 + "draft_status = \"P\"\n").count == 1)
        #expect(problem(Self.hl7 + "archive = true\n", "destination.ris.draft_status=P").hasPrefix("--set destination.ris.draft_status=P: destination[0].draft_status: "))
    }

    @Test func `names are unique in any case`() {
        #expect(problem(Self.hl7 + Self.hl7.replacing("\"ris\"\nkind", with: "\"RIS\"\nkind")).contains("c:7: destination[1].name: \"RIS\" is the name of another destination"))
        #expect(problem(Self.hl7.replacing("\"ris\"\nkind", with: "\"a.b\"\nkind")).hasPrefix("c:2: destination[0].name: "))
    }

    @Test(arguments: ["[]", "[\"drafts\", \"drafts\"]", "[\"all\"]", "\"drafts\"", "[1]"])
    func `receives is a list of at least one stage`(value: String) {
        #expect(problem(Self.hl7 + "receives = \(value)\n").hasPrefix("c:6: destination[0].receives: \(value) is not allowed; "))
    }

    @Test(arguments: ["", "-a", "a..b", "10.1.2", "a b", "[::1]", "a:80", "ä.org"])
    func `a host is a name or a literal`(host: String) {
        #expect(problem(Self.hl7.replacing("host = \"ris\"", with: "host = \"\(host)\"")).hasPrefix("c:4: destination[0].host: "))
    }

    @Test func `the longest pause is not shorter than the first`() {
        #expect(problem(Self.hl7 + "retry_first_pause = \"1h\"\n").contains("destination[0].retry_longest_pause: \"15m\" is shorter than retry_first_pause, \"1h\""))
    }

    @Test func `overrides reach a destination and a peer by name`() throws {
        let text = Self.hl7 + Self.dicom + "[[dicom.peer]]\nae_title = \"A.B\"\naddress = \"10.0.0.1\"\n"
        let configuration = try Configuration.load(
            text: text, file: "c",
            overrides: ["destination.pacs.port=11113", "destination.ris.receives=[\"drafts\", \"signed\"]", "dicom.peer.A.B.address=10.0.0.2", "destination.ris.host = 127.0.0.1 "])
        guard case .dicom(let pacs) = configuration.destinations[1].endpoint, case .hl7(let ris) = configuration.destinations[0].endpoint else {
            return #expect(Bool(false), "kinds")
        }
        #expect(pacs.port == 11113 && ris.host == "127.0.0.1")
        #expect(configuration.destinations[0].receives == [.drafts, .signed])
        #expect(configuration.dicom.peers.map(\.address.description) == ["10.0.0.2"])
    }

    @Test func `overrides set whole arrays, and words need no quotes`() throws {
        let configuration = try Configuration.load(
            text: Self.hl7, file: "c",
            overrides: [
                "destination=[{name = \"out\", kind = \"folder\", path = \"/a\"}]", "destination.out.documents=[\"json\"]",
                "dicom.peer=[{ae_title=\"A\", address=\"::1\"}]", "dicom.ae_title=1234", "study.quiet_period=2s", "log.level=\"debug\"",
                "model.allow_demonstration=true", "dicom.port=0", "log.level=error",
            ])
        #expect(configuration.destinations.map(\.name) == ["out"])
        #expect(configuration.dicom.aeTitle == "1234" && configuration.dicom.port == 0)
        #expect(configuration.study.quietPeriod == .seconds(2))
        #expect(configuration.log.level == .error)
        #expect(configuration.model.allowDemonstration)
        guard case .folder(let folder) = configuration.destinations[0].endpoint else { return #expect(Bool(false), "kind") }
        #expect(folder.documents == [.json])
    }

    @Test(arguments: [
        ("dicom.port", "--set dicom.port: no equals sign; write section.key=value"),
        ("dicom..port=1", "--set dicom..port=1: \"dicom..port\" is not a key; write section.key=value"),
        ("=1", "--set =1: \"\" is not a key; write section.key=value"),
        ("destination.nobody.port=1", "--set destination.nobody.port=1: no [[destination]] has name \"nobody\"; there are: ris"),
        ("destination.port=1", "--set destination.port=1: write destination.NAME.key=value, or destination=[{…}] for all of them"),
        ("dicom.peer.A.address=x", "--set dicom.peer.A.address=x: no [[dicom.peer]] has ae_title \"A\"; none is configured"),
        ("destination.ris.receives=[drafts]", "--set destination.ris.receives=[drafts]: the value is not TOML: "),
        ("destination.ris.prot=1", "--set destination.ris.prot=1: destination[0].prot: unknown key; did you mean port? "),
        ("dicom.port=x", "--set dicom.port=x: dicom.port: \"x\" is not allowed; an integer from 0 to 65535"),
        ("dicom.port=", "--set dicom.port=: dicom.port: \"\" is not allowed; an integer from 0 to 65535"),
        ("dicom=1", "--set dicom=1: dicom: an integer; a table is expected"),
        ("log.level=a\nb=1", "--set log.level=a\nb=1: log.level: "),
    ])
    func `an override that cannot be is refused by its own words`(override: String, expected: String) {
        let found = problem(Self.hl7, override)
        #expect(found.hasPrefix(expected), "\(found)")
    }
}
