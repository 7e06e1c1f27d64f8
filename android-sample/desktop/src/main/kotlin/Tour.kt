package org.sidetone.sample.desktop

import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import org.sidetone.CallChoice
import org.sidetone.CallState
import org.sidetone.Standing
import org.sidetone.sample.logic.Form
import org.sidetone.sample.logic.Place
import org.sidetone.sample.logic.Sample
import org.sidetone.sample.logic.Stage
import java.awt.Rectangle
import java.awt.Robot
import java.awt.Toolkit
import java.io.File
import javax.imageio.ImageIO

/** What `check` does in the person's place: comes in, meets the echo, writes to it, calls it, and takes pictures of the window. */
suspend fun tour(sample: Sample, desk: Desktop, pictures: File) {
    sample.state.first { it is Stage.Welcome }
    sample.client().online.first { it }
    take(File(pictures, "welcome.png"))
    sample.type(Form("deniz", "deniz@example.org", "a password of deniz"))
    sample.signIn()
    sample.state.first { it is Stage.Home }
    val home = checkNotNull(sample.home)
    home.friends.add("echo")
    val echo = home.friends.state.first { all -> all.rows.any { it.friend.standing == Standing.FRIEND && it.friend.online } }.rows.single().friend.user
    home.chat(echo)
    val chat = (home.state.value.place as Place.Chatting).logic
    chat.type("Is anybody there?")
    chat.send()
    chat.state.first { all -> all.bubbles.size == 2 && all.bubbles.any { it.message.theirs } }
    take(File(pictures, "chat.png"))
    home.call(echo)
    val call = checkNotNull(home.state.first { it.call != null }.call)
    call.state.first { it.view.state is CallState.Connected && it.talkedS >= 5 && it.quality != null }
    take(File(pictures, "call.png"))
    val heard = sample.client().diagnostics().sound
    println("heard ${heard.framesHeard} frames of the echo, the loudest at ${desk.loudest} of 32768; sent ${heard.framesSent}")
    check(heard.framesHeard > 50u && desk.loudest > VOICE) { "the echo is not heard" }
    home.choose(CallChoice.HANG_UP)
}

/** What a voice has and noise has not. */
private const val VOICE = 2_000

/** Waits until the window shows something and stands still. */
private suspend fun take(file: File) {
    val (robot, screen) = Robot() to Rectangle(Toolkit.getDefaultToolkit().screenSize)
    var last = emptyList<Int>()
    while (true) {
        delay(400)
        val now = robot.createScreenCapture(screen)
        val seen = now.getRGB(0, 0, now.width, now.height, null, 0, now.width).asList()
        if (seen == last && seen.distinct().size > 12) break
        last = seen
    }
    ImageIO.write(robot.createScreenCapture(screen), "png", file.apply { parentFile.mkdirs() })
}
