import RaDialogPipeline

func readSafetensors(_ file: MappedFile) throws(WeightsError) {
    let source = try Safetensors(file: file)
    for name in source.names.prefix(256) {
        guard let view = source.find(name) else { fatalError("a name of the file has a tensor") }
        read(view)
    }
}
