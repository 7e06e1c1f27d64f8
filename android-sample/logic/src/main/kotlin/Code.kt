package org.sidetone.sample.logic

import com.google.zxing.*
import com.google.zxing.common.BitMatrix
import com.google.zxing.common.HybridBinarizer
import com.google.zxing.qrcode.QRCodeReader
import com.google.zxing.qrcode.QRCodeWriter

/** A text as a code. */
fun encode(text: String): BitMatrix = QRCodeWriter().encode(text, BarcodeFormat.QR_CODE, 0, 0, mapOf(EncodeHintType.CHARACTER_SET to "UTF-8", EncodeHintType.MARGIN to 0))

/** The text of the code in a picture of brightness, if there is one. */
fun decode(picture: LuminanceSource): String? = try {
    val hints = mapOf(DecodeHintType.CHARACTER_SET to "UTF-8", DecodeHintType.TRY_HARDER to true)
    QRCodeReader().decode(BinaryBitmap(HybridBinarizer(picture)), hints).text
} catch (_: ReaderException) {
    null
}
