import ArgumentParser
import Foundation
import Glibc
import ReportQueue

/// Who does something that a named human answers for.
struct PersonArguments: ParsableArguments {
    @Option(help: ArgumentHelp("Who does it: a user of the queue, with the role that it takes.", valueName: "U")) var user: String
    @Flag(help: "Read the password from standard input, one line.") var passwordStdin = false

    /// - Parameter purpose: in the question for the password: " to sign this text".
    func authenticate(_ queue: ReportQueue, purpose: String = "") throws -> AuthenticatedUser {
        try queue.authenticate(user: user, password: try Password.read(fromStandardInput: passwordStdin, prompt: "Password of \(user)\(purpose): "))
    }
}

/// Reads a password: one line from standard input with `--password-stdin`, else from the terminal without echo.
enum Password {
    static func read(fromStandardInput: Bool, prompt: String, twice: Bool = false) throws -> String {
        if fromStandardInput {
            guard let line = readLine(strippingNewline: true), !line.isEmpty else {
                throw Failure("no password on standard input: write it there as one line", Status.usage)
            }
            return line
        }
        guard isatty(STDIN_FILENO) == 1 else {
            throw Failure("standard input is not a terminal: pass --password-stdin and write the password there as one line", Status.usage)
        }
        let password = try ask(prompt)
        if twice, try ask("Again: ") != password { throw Failure("the passwords differ: nothing was changed", Status.usage) }
        return password
    }

    private static func ask(_ prompt: String) throws -> String {
        FileHandle.standardError.write(Data(prompt.utf8))
        var saved = termios()
        tcgetattr(STDIN_FILENO, &saved)
        var silent = saved
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved)
            FileHandle.standardError.write(Data("\n".utf8))
        }
        guard let line = readLine(strippingNewline: true), !line.isEmpty else { throw Failure("no password was typed", Status.usage) }
        return line
    }
}
