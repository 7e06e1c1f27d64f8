package org.sidetone.sample.logic

import com.google.zxing.*
import com.google.zxing.common.BitMatrix
import com.google.zxing.common.HybridBinarizer
import com.google.zxing.qrcode.QRCodeReader
import com.google.zxing.qrcode.QRCodeWriter

/** A code of bytes: each is a letter of Latin 1 to the library. */
fun encode(bytes: ByteArray): BitMatrix {
    val hints = mapOf(EncodeHintType.CHARACTER_SET to "ISO-8859-1", EncodeHintType.MARGIN to 0)
    return QRCodeWriter().encode(String(bytes, Charsets.ISO_8859_1), BarcodeFormat.QR_CODE, 0, 0, hints)
}

/** The bytes of the code in a picture of brightness, if there is one. */
fun decode(picture: LuminanceSource): ByteArray? = try {
    val hints = mapOf(DecodeHintType.CHARACTER_SET to "ISO-8859-1", DecodeHintType.TRY_HARDER to true)
    QRCodeReader().decode(BinaryBitmap(HybridBinarizer(picture)), hints).text.toByteArray(Charsets.ISO_8859_1)
} catch (_: ReaderException) {
    null
}
