/// Everything the daemon and the command line are told, checked once at start. Which key stands where, with its
/// range and default, is told in `etc/radialogd.conf`; how a value gets here, in `Configuration+load.swift`.
///
/// Paths are absolute: a relative path in the file is taken from the file's folder, one in `--set` from the working
/// directory.
public struct Configuration: Sendable, Equatable {
    /// `state_dir`: database, spool and documents. The only folder the daemon writes in, besides folder destinations.
    public var stateDirectory: String
    public var dicom: DICOMListener
    public var study: StudyAssembly
    public var model: Model
    public var decode: Decoder
    public var report: Report
    public var destinations: [Destination]
    public var audit: Audit
    public var web: Web
    public var log: Log
    /// Every key that is in force with its value and where the value comes from, in the order of the shipped file.
    public var settings: [Setting]
    /// The file that was read; nil when only defaults and overrides are in force.
    public var file: String?

    /// `[dicom]`: the C-STORE SCP.
    public struct DICOMListener: Sendable, Equatable {
        /// Our own AE title, as called by peers.
        public var aeTitle: String
        /// IPv4 or IPv6 literal.
        public var bind: String
        /// 0 lets the system choose one.
        public var port: Int
        /// Empty: loopback only, where any calling AE title is taken.
        public var peers: [Peer]
        public var maxAssociations: Int
        /// From the TCP connection to the end of negotiation, in total.
        public var associationTimeout: Duration
        /// Without a DIMSE message.
        public var idleTimeout: Duration
        /// For one object, in total.
        public var objectTimeout: Duration
        /// Bytes.
        public var maxObjectSize: Int
        /// Bytes that stay free on the spool's file system; below it, objects are answered 0xA700.
        public var minFreeSpace: Int
        /// Bytes; Maximum Length Received of PS3.8 D.1.
        public var maxPDU: Int
    }

    /// `[[dicom.peer]]`: who may send.
    public struct Peer: Sendable, Equatable {
        public var aeTitle: String
        public var address: NetworkPrefix
    }

    /// `[study]`: when a study is complete, and what is tried how often.
    public struct StudyAssembly: Sendable, Equatable {
        public var quietPeriod: Duration
        /// Further values of Body Part Examined (upper case) that count as a chest, for sites with codes of their own.
        public var chestBodyParts: [String]
        public var maxAttempts: Int
        /// How long a claimed job belongs to its worker without renewal.
        public var lease: Duration
    }

    /// `[model]`.
    public struct Model: Sendable, Equatable {
        /// Folder of the bundle.
        public var bundle: String
        /// 0: all cores.
        public var threads: Int
        /// Studies that are drafted at the same time; an urgent one is never behind them.
        public var draftsAtOnce: Int
        /// Without it a bundle of kind "demo" refuses the start.
        public var allowDemonstration: Bool
        public var rendering: Rendering
        /// Keeps the model's threads on processors of their own.
        public var pinThreads: Bool
        public var arithmetic: Arithmetic
        /// Of the text that it writes.
        public var writingArithmetic: Arithmetic
        public var keyValueCache: KeyValueCache
    }

    /// How the language model's products are computed, for a bundle in panels.
    public enum Arithmetic: String, Sendable, CaseIterable {
        case auto, fp32, bf16, fp16, int8
    }

    /// How the language model's keys and values are stored.
    public enum KeyValueCache: String, Sendable, CaseIterable {
        case auto, f32, f16, q8
    }

    /// How stored values become an 8-bit picture.
    public enum Rendering: String, Sendable, CaseIterable {
        /// What the bundle's manifest says.
        case bundle
        case mimicCXRJPG = "mimic-cxr-jpg"
        case voi
    }

    /// `[decode]`: limits of the decoder child.
    public struct Decoder: Sendable, Equatable {
        /// Path of `radialog-decode`; nil: the one beside the running program.
        public var program: String?
        /// Wall clock for one frame.
        public var timeout: Duration
        /// Bytes of address space.
        public var maxMemory: Int
    }

    /// `[report]`: what stands in documents.
    public struct Report: Sendable, Equatable {
        /// Verifying Organization (0040,A027) of a signature whose user has none of their own. Empty: the study's Institution Name.
        public var organization: String
    }

    /// `[audit]`.
    public struct Audit: Sendable, Equatable {
        /// Whether the hash chain is walked before the port opens; a break refuses the start.
        public var verifyAtStart: Bool
    }

    /// `[web]`: reserved for the browser worklist. Checked, but no listener is opened in this release.
    public struct Web: Sendable, Equatable {
        public var bind: String
        public var port: Int
    }

    /// `[log]`.
    public struct Log: Sendable, Equatable {
        public var level: Level
        public var format: Format

        /// The levels of swift-log, by their names there.
        public enum Level: String, Sendable, CaseIterable {
            case trace, debug, info, notice, warning, error, critical
        }

        public enum Format: String, Sendable, CaseIterable {
            /// One line of text; timestamps are the journal's.
            case text
            /// One JSON object a line.
            case json
        }
    }

    /// One key in force.
    public struct Setting: Sendable, Equatable, Codable {
        /// As in the file: `dicom.port`, `destination[0].host`.
        public var key: String
        /// As TOML.
        public var value: String
        /// "default", "etc/radialogd.conf:12", "--set" or "--state-dir".
        public var origin: String

        public init(key: String, value: String, origin: String) {
            self.key = key
            self.value = value
            self.origin = origin
        }
    }
}
