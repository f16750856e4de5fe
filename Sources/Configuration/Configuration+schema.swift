/// The keys: one read per key, with its default and its range. `etc/radialogd.conf` tells the same in words; a test
/// compares the two.
extension Configuration {
    init(reading document: DocumentReader) {
        let top = document.section()
        stateDirectory = top.filePath("state_dir", default: "/var/lib/radialogd", allowed: "the path of a folder")
        let dicom = Self.dicomListener(top.section("dicom"))
        self.dicom = dicom
        study = Self.studyAssembly(top.section("study"))
        model = Self.model(top.section("model"))
        decode = Self.decoder(top.section("decode"))
        report = Self.report(top.section("report"))
        destinations = Self.destinations(top.sections("destination"), ownAETitle: dicom.aeTitle)
        audit = Self.audit(top.section("audit"))
        web = Self.web(top.section("web"))
        log = Self.log(top.section("log"))
        top.finish()
        settings = document.settings
        file = document.file
    }

    private static func dicomListener(_ section: SectionReader) -> DICOMListener {
        let listener = DICOMListener(
            aeTitle: section.aeTitle("ae_title", default: "RADIALOGD"),
            bind: section.bindAddress("bind"),
            port: section.integer("port", default: 11112, in: 0...65535),
            peers: peers(section.sections("peer")),
            maxAssociations: section.integer("max_associations", default: 8, in: 1...256),
            associationTimeout: section.duration("association_timeout", default: .seconds(30), in: .seconds(1)...(.seconds(600))),
            idleTimeout: section.duration("idle_timeout", default: .seconds(60), in: .seconds(1)...(.seconds(3600))),
            objectTimeout: section.duration("object_timeout", default: .seconds(600), in: .seconds(1)...(.seconds(7200))),
            maxObjectSize: section.size("max_object_size", default: 1 << 30, in: (1 << 20)...(4 << 30)),
            minFreeSpace: section.size("min_free_space", default: 1 << 30, in: 0...(1 << 50)),
            maxPDU: section.size("max_pdu", default: 64 << 10, in: (4 << 10)...(128 << 10)))
        if listener.peers.isEmpty, NetworkPrefix.isLiteral(listener.bind), !NetworkPrefix.isLoopback(listener.bind) {
            section.report(
                "bind",
                "\"\(listener.bind)\" is reachable from the network, and no [[dicom.peer]] says who may send; "
                    + "add a [[dicom.peer]] with ae_title and address for each sender, or listen on \"127.0.0.1\"")
        }
        section.finish()
        return listener
    }

    private static func peers(_ sections: [SectionReader]) -> [Peer] {
        var peers: [Peer] = []
        for section in sections {
            let aeTitle = section.aeTitle("ae_title", default: nil)
            let address = section.string(
                "address", default: nil,
                allowed: "an IPv4 or IPv6 address (\"10.1.2.3\", \"fd00::7\"), or a network without host bits (\"10.1.2.0/24\")",
                where: { NetworkPrefix($0) != nil })
            section.finish()
            guard let prefix = NetworkPrefix(address) else { continue }
            let peer = Peer(aeTitle: aeTitle, address: prefix)
            if peers.contains(peer) { section.report("ae_title", "\"\(aeTitle)\" at \(address) is configured twice") }
            peers.append(peer)
        }
        return peers
    }

    private static func studyAssembly(_ section: SectionReader) -> StudyAssembly {
        defer { section.finish() }
        return StudyAssembly(
            quietPeriod: section.duration("quiet_period", default: .seconds(30), in: .milliseconds(100)...(.seconds(86400))),
            chestBodyParts: section.strings(
                "chest_body_parts", default: [],
                allowed: "an array of Body Part Examined values: 1 to 16 of A-Z, 0-9, space and underscore each",
                where: { (1...16).contains($0.count) && $0.allSatisfy { ("A"..."Z").contains($0) || ("0"..."9").contains($0) || $0 == " " || $0 == "_" } }),
            maxAttempts: section.integer("max_attempts", default: 3, in: 1...100),
            lease: section.duration("lease", default: .seconds(300), in: .seconds(1)...(.seconds(86400))))
    }

    private static func model(_ section: SectionReader) -> Model {
        defer { section.finish() }
        return Model(
            bundle: section.filePath("bundle", default: "/usr/share/radialogd/bundle", allowed: "the path of a bundle's folder"),
            threads: section.integer("threads", default: 0, in: 0...1024),
            draftsAtOnce: section.integer("drafts_at_once", default: 4, in: 1...64),
            allowDemonstration: section.boolean("allow_demonstration", default: false),
            rendering: section.choice("rendering", default: Rendering.bundle) ?? .bundle,
            pinThreads: section.boolean("pin_threads", default: false),
            arithmetic: section.choice("arithmetic", default: Arithmetic.auto) ?? .auto,
            writingArithmetic: section.choice("writing_arithmetic", default: Arithmetic.auto) ?? .auto,
            keyValueCache: section.choice("kv_cache", default: KeyValueCache.auto) ?? .auto)
    }

    private static func decoder(_ section: SectionReader) -> Decoder {
        defer { section.finish() }
        let program = section.filePath("program", default: "", allowed: "the path of radialog-decode")
        return Decoder(
            program: program.isEmpty ? nil : program,
            timeout: section.duration("timeout", default: .seconds(60), in: .seconds(1)...(.seconds(3600))),
            maxMemory: section.size("max_memory", default: 2 << 30, in: (256 << 20)...(64 << 30)))
    }

    private static func report(_ section: SectionReader) -> Report {
        defer { section.finish() }
        return Report(
            organization: section.string(
                "organization", default: "", allowed: "up to 64 characters, without backslash and control characters",
                where: { $0.isEmpty || ($0.count <= 64 && isLongString($0)) }))
    }

    private static func audit(_ section: SectionReader) -> Audit {
        defer { section.finish() }
        return Audit(verifyAtStart: section.boolean("verify_at_start", default: true))
    }

    private static func web(_ section: SectionReader) -> Web {
        defer { section.finish() }
        return Web(bind: section.bindAddress("bind"), port: section.integer("port", default: 8080, in: 0...65535))
    }

    private static func log(_ section: SectionReader) -> Log {
        defer { section.finish() }
        return Log(
            level: section.choice("level", default: Log.Level.info) ?? .info,
            format: section.choice("format", default: Log.Format.text) ?? .text)
    }

    /// VR LO (PS3.5 6.2): no backslash, no control characters; not only spaces.
    private static func isLongString(_ text: String) -> Bool {
        text.contains { $0 != " " } && text.unicodeScalars.allSatisfy { $0 != "\\" && $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
    }
}

extension SectionReader {
    /// VR AE (PS3.5 6.2), and without leading or trailing spaces, which peers strip or do not.
    func aeTitle(_ key: String, default fallback: String?) -> String {
        string(
            key, default: fallback,
            allowed: "an AE title: 1 to 16 printable ASCII characters, no backslash, no space at either end",
            where: { title in
                (1...16).contains(title.utf8.count) && title.first != " " && title.last != " "
                    && title.utf8.allSatisfy { (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "\\") }
            })
    }

    func bindAddress(_ key: String) -> String {
        string(
            key, default: "127.0.0.1", allowed: "an IPv4 or IPv6 address of this machine, such as \"127.0.0.1\", \"0.0.0.0\" or \"::\"",
            where: NetworkPrefix.isLiteral)
    }
}
