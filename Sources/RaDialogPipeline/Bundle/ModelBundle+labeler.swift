extension ModelBundle {
    /// Maps the labeler's files and holds them against the manifest again: whoever only drafts does not open them.
    func openLabeler() throws(BundleError) -> (weights: Safetensors, tokenizer: WordPieceTokenizer, shape: BundleManifest.Labeler) {
        guard let shape = manifest.labeler else { throw .noLabeler(directory: directory) }
        let folder = try BundleFolder(directory)
        func file(_ name: String) throws(BundleError) -> MappedFile {
            let file = try folder.map(name)
            guard let entry = manifest.files[name] else { throw .missingFile(directory: directory, file: name) }
            guard file.count == entry.bytes else { throw .wrongSize(path: file.path, found: file.count, expected: entry.bytes) }
            let found = file.sha256()
            guard found == entry.sha256 else { throw .wrongHash(path: file.path, found: found, expected: entry.sha256) }
            return file
        }
        let weights = try file(shape.weights)
        let vocabulary = try file(shape.tokenizer)
        let tokenizer: WordPieceTokenizer
        do throws(TokenizerError) {
            tokenizer = try vocabulary.withBytes { bytes throws(TokenizerError) in
                try WordPieceTokenizer(vocabulary: bytes, path: vocabulary.path)
            }
        } catch {
            throw .badTokenizer(error)
        }
        guard tokenizer.vocabularySize <= shape.vocabulary else {
            throw .badManifest(
                path: directory + "/" + Self.manifestName, key: "labeler.vocabulary",
                reason: "is smaller than the \(tokenizer.vocabularySize) lines of \(shape.tokenizer)")
        }
        do throws(WeightsError) {
            return (try Safetensors(file: weights), tokenizer, shape)
        } catch {
            throw .badWeights(error)
        }
    }
}
