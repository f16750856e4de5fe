internal import ReportModel

/// The keys of `[[destination]]`. Each kind has its own; a key of another kind is unknown here.
extension Configuration {
    static func destinations(_ sections: [SectionReader], ownAETitle: String) -> [Destination] {
        var destinations: [Destination] = []
        for section in sections {
            let destination = Destination(reading: section, ownAETitle: ownAETitle)
            if destinations.contains(where: { $0.name.lowercased() == destination.name.lowercased() && !$0.name.isEmpty }) {
                section.report("name", "\"\(destination.name)\" is the name of another destination; names are unique, in any case")
            }
            destinations.append(destination)
        }
        return destinations
    }
}

extension Destination {
    init(reading section: SectionReader, ownAETitle: String) {
        name = section.string(
            "name", default: nil, allowed: "1 to 32 letters, digits, hyphens and underscores, starting with a letter or digit",
            where: Self.isName)
        let kind = section.choice("kind", default: Kind?.none)
        isEnabled = section.boolean("enabled", default: true)
        receives = Set(section.choices("receives", default: [Stage.signed]))
        switch kind {
        case .hl7: endpoint = .hl7(HL7Endpoint(reading: section))
        case .dicom: endpoint = .dicom(DICOMEndpoint(reading: section, ownAETitle: ownAETitle))
        case .folder: endpoint = .folder(FolderEndpoint(reading: section))
        case nil:
            // Without a kind nobody can say which keys are known: that one problem is enough.
            endpoint = .folder(FolderEndpoint(path: "", documents: [], format: .init()))
            retry = Retry(firstPause: .zero, longestPause: .zero, contentAttempts: 1, giveUpAfter: nil, alarmAfter: .zero)
            return
        }
        retry = Retry(reading: section)
        section.finish(label: "of a destination of kind \"\(kind?.rawValue ?? "")\"")
    }

    private static func isName(_ text: String) -> Bool {
        let isAlphanumeric = { (byte: UInt8) in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: false
            }
        }
        guard let first = text.utf8.first, isAlphanumeric(first), text.utf8.count <= 32 else { return false }
        return text.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
    }
}

extension Destination.HL7Endpoint {
    init(reading section: SectionReader) {
        host = section.host("host")
        port = section.integer("port", default: nil, in: 1...65535)
        connectTimeout = section.duration("connect_timeout", default: .seconds(10), in: .milliseconds(100)...(.seconds(300)))
        ackTimeout = section.duration("ack_timeout", default: .seconds(60), in: .milliseconds(100)...(.seconds(3600)))
        format = ORUProfile(reading: section, isSent: true)
    }
}

extension Destination.DICOMEndpoint {
    init(reading section: SectionReader, ownAETitle: String) {
        host = section.host("host")
        port = section.integer("port", default: nil, in: 1...65535)
        aeTitle = section.aeTitle("ae_title", default: nil)
        callingAETitle = section.aeTitle("calling_ae_title", default: ownAETitle)
        connectTimeout = section.duration("connect_timeout", default: .seconds(10), in: .milliseconds(100)...(.seconds(300)))
        responseTimeout = section.duration("response_timeout", default: .seconds(60), in: .milliseconds(100)...(.seconds(3600)))
    }
}

extension Destination.FolderEndpoint {
    init(reading section: SectionReader) {
        path = section.filePath("path", default: nil, allowed: "the path of a folder that exists and that the daemon may write in")
        documents = section.choices("documents", default: [.oru, .sr])
        format = ORUProfile(reading: section, isSent: false)
    }
}

extension ORUProfile {
    /// - Parameter isSent: over MLLP; a file is not acknowledged.
    init(reading section: SectionReader, isSent: Bool) {
        self.init()
        version = section.choice("hl7_version", default: .v2_5_1) ?? .v2_5_1
        charset = section.choice("charset", default: .utf8) ?? .utf8
        textType = section.choice("text_type", default: .tx) ?? .tx
        processingID = section.choice("processing_id", default: .production) ?? .production
        draftStatus = section.choice("draft_status", default: .resultsStored) ?? .resultsStored
        acknowledgement = isSent ? section.choice("acknowledgement", default: .original) ?? .original : .original
        isArchive = section.boolean("archive", default: false)
        sendingApplication = section.hierarchicDesignator("sending_application", default: "RADIALOGD")
        sendingFacility = section.hierarchicDesignator("sending_facility", default: "")
        receivingApplication = section.hierarchicDesignator("receiving_application", default: "")
        receivingFacility = section.hierarchicDesignator("receiving_facility", default: "")
        if isArchive, draftStatus == .preliminary {
            section.report(
                "draft_status",
                "\"P\" is refused toward an archive: archives such as dcm4chee-arc make a VERIFIED document of it; use \"R\", or archive = false")
        }
    }
}

extension Destination.Retry {
    init(reading section: SectionReader) {
        firstPause = section.duration("retry_first_pause", default: .seconds(10), in: .milliseconds(100)...(.seconds(3600)))
        longestPause = section.duration("retry_longest_pause", default: .seconds(900), in: .milliseconds(100)...(.seconds(86400)))
        contentAttempts = section.integer("content_attempts", default: 3, in: 1...100)
        let giveUp = section.duration("give_up_after", default: .zero, in: .zero...(.seconds(365 * 86400)))
        giveUpAfter = giveUp == .zero ? nil : giveUp
        alarmAfter = section.duration("alarm_after", default: .seconds(1800), in: .seconds(1)...(.seconds(30 * 86400)))
        if longestPause < firstPause {
            section.report("retry_longest_pause", "\"\(Quantity.text(longestPause))\" is shorter than retry_first_pause, \"\(Quantity.text(firstPause))\"")
        }
    }
}

extension SectionReader {
    /// A host name (RFC 1123) or an address literal.
    func host(_ key: String) -> String {
        string(key, default: nil, allowed: "a host name or an IPv4 or IPv6 address without brackets and port") { host in
            if NetworkPrefix.isLiteral(host) { return true }
            let labels = host.split(separator: ".", omittingEmptySubsequences: false)
            return host.utf8.count <= 253
                && labels.allSatisfy { label in
                    (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                        && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
                }
                // Only digits and dots is an address with a mistake in it.
                && host.contains { $0.isLetter }
        }
    }

    /// HD: namespace, universal ID, universal ID type.
    func hierarchicDesignator(_ key: String, default fallback: String) -> String {
        string(key, default: fallback, allowed: "up to 180 printable ASCII characters, at most three components by ^") { text in
            text.utf8.count <= 180 && text.utf8.allSatisfy { (0x20...0x7E).contains($0) } && text.utf8.count { $0 == UInt8(ascii: "^") } <= 2
        }
    }
}
