package org.sidetone.sample.ui

import androidx.compose.foundation.background
import androidx.compose.foundation.Canvas
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.runtime.Composable
import androidx.compose.runtime.remember
import androidx.compose.ui.draw.clip
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.geometry.Size
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.Modifier
import androidx.compose.ui.semantics.*
import androidx.compose.ui.unit.dp
import org.sidetone.sample.logic.encode

/** A text for another phone's camera: dark on white in both themes, as readers expect. */
@Composable
fun Qr(text: String, label: String, modifier: Modifier = Modifier) {
    val code = remember(text) { encode(text) }
    val mark = modifier.clip(RoundedCornerShape(20.dp)).background(Color.White).padding(18.dp).size(208.dp)
    Canvas(mark.semantics { contentDescription = label; role = Role.Image }) {
        val side = size.width / code.width
        for (x in 0 until code.width) for (y in 0 until code.height) {
            if (code[x, y]) drawRect(Color(0xFF12211D), Offset(x * side, y * side), Size(side + .5f, side + .5f))
        }
    }
}
