#if canImport(Network)
import Network
import Sidetone

extension NetworkSnapshot {
    /// What `NWPathMonitor` told, for `Client.networkChanged`.
    public init(_ path: NWPath) {
        let kind: NetworkKind =
            if path.status != .satisfied {
                .none
            } else if path.usesInterfaceType(.wifi) {
                .wifi
            } else if path.usesInterfaceType(.cellular) {
                .mobile
            } else if path.usesInterfaceType(.wiredEthernet) {
                .wired
            } else {
                .other
            }
        self.init(kind: kind, metered: path.isExpensive, addresses: [])
    }
}
#endif
