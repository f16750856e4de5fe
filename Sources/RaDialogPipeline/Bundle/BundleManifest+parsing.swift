extension BundleManifest {
    /// Decodes and checks manifest.json. `path` is for messages.
    package init(parsing bytes: UnsafeRawBufferPointer, path: String) throws(BundleError) {
        let value: JSONValue
        do throws(JSONSyntaxError) {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw .badManifest(path: path, key: "", reason: "not a JSON object: \(error.reason) at byte \(error.offset)")
        }
        do throws(ManifestProblem) {
            try self.init(value)
        } catch {
            throw .badManifest(path: path, key: error.key, reason: error.reason)
        }
    }
}
