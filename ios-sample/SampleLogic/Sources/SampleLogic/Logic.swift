import Observation
import Sidetone

/// What is behind one screen: what it shows, functions to call, and the last thing that did not work.
@MainActor @Observable
open class Logic {
    /// What did not work, until it is dismissed or something else is done.
    public private(set) var notice: Phrase?
    /// What was not allowed that is needed, until it is read.
    public private(set) var forbidden: Permission?
    @ObservationIgnored private let watch = Watch()

    public init() {}

    public func dismiss() { (notice, forbidden) = (nil, nil) }

    /// Runs what may fail; the failure becomes the notice.
    @discardableResult
    public func attempt(_ act: @MainActor () async throws -> Void) async -> Bool {
        notice = nil
        return await refresh(act)
    }

    /// Reads again what may have changed; what the user did and did not work stays said.
    @discardableResult
    func refresh(_ act: @MainActor () async throws -> Void) async -> Bool {
        do {
            try await act()
            return true
        } catch let error as SidetoneError {
            // Whoever cancels knows, and who closes sees nothing any more.
            if error.code != .cancelled && error.code != .closed { notice = Phrase(error) }
        } catch {}
        return false
    }

    /// Runs what needs a permission, or says that it is missing.
    func with(_ permission: Permission, of device: any Device, _ act: @MainActor () async throws -> Void) async {
        guard await device.allows(permission) else { return forbidden = permission }
        await attempt(act)
    }

    /// The screen is left: nothing is followed any more.
    open func close() { watch.stop() }

    func follow<Value: Sendable>(_ values: AsyncStream<Value>, _ change: @escaping @MainActor (Value) async -> Void) {
        watch.keep(Task { for await value in values { await change(value) } })
    }

    func every(_ interval: Duration, _ act: @escaping @MainActor () async -> Void) {
        watch.keep(
            Task {
                while !Task.isCancelled {
                    await act()
                    try? await Task.sleep(for: interval)
                }
            })
    }
}

/// What runs as long as somebody holds it.
private final class Watch {
    private var tasks: [Task<Void, Never>] = []

    func keep(_ task: Task<Void, Never>) { tasks.append(task) }

    func stop() {
        tasks.forEach { $0.cancel() }
        tasks = []
    }

    deinit { stop() }
}
