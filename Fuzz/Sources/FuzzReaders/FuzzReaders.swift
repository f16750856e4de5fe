import CFuzz
import FuzzEntries
import Glibc

/// What a reader may allocate beyond the size of its file.
private let allowance = 64 << 20

/// The reader that RADIALOG_FUZZ_READER names (scripts/fuzz.sh sets it).
private let entry: FuzzEntry = {
    let name = getenv("RADIALOG_FUZZ_READER").map { String(cString: $0) } ?? ""
    guard let entry = FuzzEntry(rawValue: name) else {
        fatalError("RADIALOG_FUZZ_READER is \"\(name)\"; one of \(FuzzEntry.allCases.map(\.rawValue).joined(separator: ", ")) is expected")
    }
    heap_gauge_install()
    return entry
}()

/// libFuzzer's entry. A refusal is as good as a file that was read; a trap, a bad access or too much memory is a finding.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let entry = entry
    heap_gauge_start()
    do {
        try entry.read(UnsafeRawBufferPointer(start: data, count: count))
    } catch {
        guard entry.isRefusal(error) else { fatalError("an error of another kind left the reader: \(error)") }
    }
    let peak = heap_gauge_peak()
    guard peak <= count + allowance else { fatalError("\(peak) bytes were allocated for a file of \(count)") }
    return 0
}
