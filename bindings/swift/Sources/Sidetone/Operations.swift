import Foundation

extension PendingOperation {
    /// Waits for the end; a task that is cancelled meanwhile cancels the operation.
    public var value: Outcome {
        get async throws {
            try await withTaskCancellationHandler {
                try await outcome()
            } onCancel: {
                cancel()
            }
        }
    }
}

extension SidetoneError {
    /// What went wrong.
    public var code: ErrorCode {
        switch self {
        case .Failed(let code, _, _, _, _, _): code
        }
    }

    /// Whether the same may work later without the user doing anything.
    public var retryable: Bool {
        switch self {
        case .Failed(_, _, _, let retryable, _, _): retryable
        }
    }

    /// What the user can do.
    public var userAction: UserAction {
        switch self {
        case .Failed(_, _, _, _, _, let action): action
        }
    }
}

extension SidetoneError {
    static func gone(_ code: ErrorCode, _ detail: String) -> SidetoneError {
        .Failed(
            code: code, number: code.rawValue, detail: detail, retryable: false, retryAfterMs: 0, userAction: .nothing)
    }
}

extension SidetoneError: LocalizedError, CustomStringConvertible {
    /// In English, for logs.
    public var description: String {
        switch self {
        case .Failed(_, let number, let detail, _, _, _): "\(detail) (\(number))"
        }
    }

    /// The same.
    public var errorDescription: String? { description }
}
