import ModelImport
import RaDialogPipeline

/// - Throws: where the file is none of the three, what the first said.
func readConfigurations(_ file: MappedFile) throws {
    var refusals: [any Error] = []
    func attempt(_ body: () throws -> Void) { do { try body() } catch { refusals.append(error) } }
    attempt { _ = try BundleManifest(parsing: file.bytes, path: file.path) }
    attempt { _ = try AdapterConfiguration(file: file) }
    attempt { _ = try LlamaConfiguration(file: file) }
    if refusals.count == 3 { throw refusals[0] }
}
