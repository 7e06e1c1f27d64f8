package org.sidetone.sample.logic

import com.google.zxing.*
import com.google.zxing.common.BitMatrix
import com.google.zxing.common.HybridBinarizer
import com.google.zxing.qrcode.QRCodeReader
import com.google.zxing.qrcode.QRCodeWriter

/** A text as a code. */
fun encode(text: String): BitMatrix = QRCodeWriter().encode(text, BarcodeFormat.QR_CODE, 0, 0, mapOf(EncodeHintType.CHARACTER_SET to "UTF-8", EncodeHintType.MARGIN to 0))

/** The text of the code in a picture of brightness, if there is one: seen by a camera, or drawn, where a search goes astray at times. */
fun decode(picture: LuminanceSource): String? = listOf(DecodeHintType.TRY_HARDER, DecodeHintType.PURE_BARCODE).firstNotNullOfOrNull { way ->
    try {
        QRCodeReader().decode(BinaryBitmap(HybridBinarizer(picture)), mapOf(DecodeHintType.CHARACTER_SET to "UTF-8", way to true)).text
    } catch (_: ReaderException) {
        null
    }
}
