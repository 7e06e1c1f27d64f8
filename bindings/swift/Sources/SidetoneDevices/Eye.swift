#if os(iOS)
import ReplayKit
import SwiftUI
import VisionKit

/// Reads a QR code with the camera, and gives its text once.
public struct Scanner: UIViewControllerRepresentable {
    private let found: @MainActor (String) -> Void

    public init(found: @escaping @MainActor (String) -> Void) { self.found = found }

    /// Not in the simulator.
    @MainActor public static var isSupported: Bool { DataScannerViewController.isSupported }

    public func makeUIViewController(context: Context) -> DataScannerViewController {
        let scanner = DataScannerViewController(recognizedDataTypes: [.barcode(symbologies: [.qr])])
        scanner.delegate = context.coordinator
        try? scanner.startScanning()
        return scanner
    }

    public func updateUIViewController(_ scanner: DataScannerViewController, context: Context) {}

    public func makeCoordinator() -> Reader { Reader(found: found) }

    @MainActor
    public final class Reader: NSObject, DataScannerViewControllerDelegate {
        private let found: @MainActor (String) -> Void

        init(found: @escaping @MainActor (String) -> Void) { self.found = found }

        public func dataScanner(
            _ scanner: DataScannerViewController, didAdd added: [RecognizedItem], allItems: [RecognizedItem]
        ) {
            for case .barcode(let code) in added {
                guard let text = code.payloadStringValue else { continue }
                scanner.stopScanning()
                return found(text)
            }
        }
    }
}

/// The system's button that begins and ends a broadcast of the screen.
public struct BroadcastButton: UIViewRepresentable {
    private let (identifier, label): (String, String)

    /// `identifier` is the broadcast extension's.
    public init(_ identifier: String, label: String) { (self.identifier, self.label) = (identifier, label) }

    public func makeUIView(context: Context) -> RPSystemBroadcastPickerView {
        let picker = RPSystemBroadcastPickerView(frame: CGRect(x: 0, y: 0, width: 60, height: 60))
        picker.preferredExtension = identifier
        picker.showsMicrophoneButton = false
        return picker
    }

    public func updateUIView(_ picker: RPSystemBroadcastPickerView, context: Context) { picker.accessibilityLabel = label }
}
#endif
