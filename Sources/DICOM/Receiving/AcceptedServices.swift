/// What an association may carry, and which transfer syntax is chosen for a context.
package enum AcceptedServices {
    package static let verification = "1.2.840.10008.1.1"

    /// Radiographs. PS3.4 B.5. Multi-frame secondary capture is taken because scanners and converters use it for single
    /// films; mammography and fluoroscopy are not: a refused context tells the sender at once.
    package static let storageClasses: Set<String> = [
        "1.2.840.10008.5.1.4.1.1.1",  // Computed Radiography
        "1.2.840.10008.5.1.4.1.1.1.1",  // Digital X-Ray, for presentation
        "1.2.840.10008.5.1.4.1.1.1.1.1",  // Digital X-Ray, for processing
        "1.2.840.10008.5.1.4.1.1.7",  // Secondary Capture
        "1.2.840.10008.5.1.4.1.1.7.2",  // Multi-frame Grayscale Byte Secondary Capture
        "1.2.840.10008.5.1.4.1.1.7.3",  // Multi-frame Grayscale Word Secondary Capture
    ]

    /// All that the decoder reads. Deflated and big endian are not negotiated. The order is no preference: see `answer`.
    package static let transferSyntaxes = [
        TransferSyntax.explicitVRLittleEndian,
        TransferSyntax.implicitVRLittleEndian,
        "1.2.840.10008.1.2.4.70",  // JPEG lossless, SV1
        "1.2.840.10008.1.2.4.57",  // JPEG lossless, process 14
        "1.2.840.10008.1.2.4.80",  // JPEG-LS lossless
        "1.2.840.10008.1.2.4.90",  // JPEG 2000, lossless only
        "1.2.840.10008.1.2.5",  // RLE lossless
        "1.2.840.10008.1.2.4.81",  // JPEG-LS near-lossless
        "1.2.840.10008.1.2.4.91",  // JPEG 2000
        "1.2.840.10008.1.2.4.51",  // JPEG extended (process 2 and 4)
        "1.2.840.10008.1.2.4.50",  // JPEG baseline (process 1)
    ]

    /// Answer to one proposed context.
    package enum Answer: Equatable, Sendable {
        case accepted(transferSyntax: String)
        /// Result 3 of PS3.8 Table 9-18.
        case abstractSyntaxNotSupported
        /// Result 4.
        case transferSyntaxesNotSupported
    }

    /// The sender's own order decides, because it is the one who would have to convert: the first transfer syntax of its
    /// list that we take. Only when it lists both explicit and implicit little endian is explicit chosen, in which private
    /// and unknown elements keep their VR.
    package static func answer(to context: AssociateRequest.PresentationContext) -> Answer {
        let isVerification = context.abstractSyntax == verification
        guard isVerification || storageClasses.contains(context.abstractSyntax) else { return .abstractSyntaxNotSupported }
        let uncompressed = [TransferSyntax.explicitVRLittleEndian, TransferSyntax.implicitVRLittleEndian]
        let ours = isVerification ? uncompressed : transferSyntaxes
        guard let first = context.transferSyntaxes.first(where: ours.contains) else { return .transferSyntaxesNotSupported }
        if uncompressed.contains(first), context.transferSyntaxes.contains(TransferSyntax.explicitVRLittleEndian) {
            return .accepted(transferSyntax: TransferSyntax.explicitVRLittleEndian)
        }
        return .accepted(transferSyntax: first)
    }
}
