/// Everything the app says, by the name it has in Localizable.xcstrings and in the Android sample.
public enum Word: String, CaseIterable, Sendable {
    case appName = "app_name", opening, loading, done, stop, dismiss, tryAgain = "try_again", openSettings = "open_settings"
    case accept, decline, send, you, friends, rooms, strangers, settings, online, away, offlineText = "offline_text"
    case welcomeText = "welcome_text", welcomePromise = "welcome_promise", newAccount = "new_account"
    case haveAccount = "have_account", name, email, password, register, signIn = "sign_in", signOut = "sign_out"
    case friendsEmpty = "friends_empty", friendsEmptyText = "friends_empty_text", addFriend = "add_friend"
    case addText = "add_text", nameOrLink = "name_or_link", scan, asked, askedName = "asked_name", yourCode = "your_code"
    case yourCodeText = "your_code_text", shareLink = "share_link", wantsFriend = "wants_friend", verify, verified, unverify
    case safetyNumber = "safety_number", compareText = "compare_text", numbersMatch = "numbers_match"
    case codesMatch = "codes_match", codesDiffer = "codes_differ", keyChanged = "key_changed"
    case keyChangedText = "key_changed_text", acceptKey = "accept_key", typing, chatEmpty = "chat_empty"
    case chatEmptyText = "chat_empty_text", write, sendImage = "send_image", sendFile = "send_file", record, recording
    case dropNote = "drop_note", anImage = "an_image", voiceNote = "voice_note", play, pause, goOn = "go_on", edited
    case takenBack = "taken_back", expired, timerChanged = "timer_changed", messageQueued = "message_queued"
    case messageSent = "message_sent", messageDelivered = "message_delivered", messageRead = "message_read"
    case messageFailed = "message_failed", fileOffered = "file_offered", fileWaiting = "file_waiting"
    case fileMoving = "file_moving", filePaused = "file_paused", fileSpace = "file_space", fileFailed = "file_failed", call
    case answer, hangUp = "hang_up", mute, unmute, callIncoming = "call_incoming", callRinging = "call_ringing"
    case callConnecting = "call_connecting", callReconnecting = "call_reconnecting", secondsLeft = "seconds_left"
    case theyAreMuted = "they_are_muted", routeDirect = "route_direct", routeRelayed = "route_relayed", endOver = "end_over"
    case endDeclined = "end_declined", endBusy = "end_busy", endMissed = "end_missed", endUnanswered = "end_unanswered"
    case endUnreachable = "end_unreachable", endLost = "end_lost", endNotTrusted = "end_not_trusted"
    case endSignedOut = "end_signed_out", aRoom = "a_room", joinRoomText = "join_room_text", codeOrLink = "code_or_link", join
    case pushToTalk = "push_to_talk", openMicrophones = "open_microphones", recentRooms = "recent_rooms", forget, leave
    case groupPhrase = "group_phrase", groupPhraseText = "group_phrase_text", spokenCode = "spoken_code"
    case openCode = "open_code", roomAlone = "room_alone", memberReaching = "member_reaching", memberNoWay = "member_no_way"
    case memberHeard = "member_heard", memberWaiting = "member_waiting", letIn = "let_in", holdToTalk = "hold_to_talk"
    case floorIdle = "floor_idle", floorTaken = "floor_taken", floorRequesting = "floor_requesting"
    case floorQueued = "floor_queued", floorSpeaking = "floor_speaking", floorReserved = "floor_reserved"
    case roomEndClosed = "room_end_closed", roomEndOut = "room_end_out", roomEndLost = "room_end_lost"
    case lobbyText = "lobby_text", nickname, interests, mediaText = "media_text", mediaVoice = "media_voice", adult, search
    case noticeTitle = "notice_title", noticeText = "notice_text", searching, searchWorking = "search_working"
    case searchNobody = "search_nobody", searchNotAgain = "search_not_again", searchRefused = "search_refused", found, meet
    case skip, block, compareWords = "compare_words", partedWe = "parted_we", partedThey = "parted_they"
    case partedBlocked = "parted_blocked", partedLost = "parted_lost", partedImposter = "parted_imposter", report
    case reportWhy = "report_why", reportBot = "report_bot", reportSpam = "report_spam", reportAbuse = "report_abuse"
    case reportNudity = "report_nudity", reportMinor = "report_minor", reportOther = "report_other", reported, server
    case serverText = "server_text", theme, themeSystem = "theme_system", themeLight = "theme_light", themeDark = "theme_dark"
    case privacy, routes, routeAny = "route_any", routeDirectOnly = "route_direct_only", routeRelayOnly = "route_relay_only"
    case addresses, addressesText = "addresses_text", addressDirect = "address_direct"
    case addressAccepted = "address_accepted", addressVerified = "address_verified", addressNever = "address_never"
    case readReceipts = "read_receipts", receipts, receiptsText = "receipts_text", figureServer = "figure_server"
    case figureFriends = "figure_friends", figureRefused = "figure_refused", exportText = "export_text", passphrase
    case exportNow = "export_now", exported, account, deleteAccount = "delete_account", deleteText = "delete_text"
    case keepAccount = "keep_account", troubleMicrophone = "trouble_microphone"
    case troubleMicrophoneText = "trouble_microphone_text", troubleCamera = "trouble_camera"
    case troubleCameraText = "trouble_camera_text", troubleServer = "trouble_server"
    case troubleServerText = "trouble_server_text", troublePassword = "trouble_password"
    case troublePasswordText = "trouble_password_text", troubleKey = "trouble_key", troubleKeyText = "trouble_key_text"
    case troubleSignedOut = "trouble_signed_out", troubleSignedOutText = "trouble_signed_out_text"
    case troubleSuspended = "trouble_suspended", troubleSuspendedText = "trouble_suspended_text"
    case troubleLocked = "trouble_locked", troubleLockedText = "trouble_locked_text", troubleKeyLost = "trouble_key_lost"
    case troubleDamaged = "trouble_damaged", troubleDamagedText = "trouble_damaged_text", troubleFull = "trouble_full"
    case troubleFullText = "trouble_full_text", troubleOutdated = "trouble_outdated"
    case troubleOutdatedText = "trouble_outdated_text", troubleOther = "trouble_other"
    case troubleOtherText = "trouble_other_text", errorOffline = "error_offline", errorLogin = "error_login"
    case errorNameTaken = "error_name_taken", errorName = "error_name", errorEmailTaken = "error_email_taken"
    case errorEmail = "error_email", errorNobody = "error_nobody", errorNotFriends = "error_not_friends"
    case errorAlready = "error_already", errorKey = "error_key", errorAway = "error_away", errorBusy = "error_busy"
    case errorWait = "error_wait", errorCode = "error_code", errorFile = "error_file", errorRoomOver = "error_room_over"
    case errorRoomFull = "error_room_full", errorRoomLocked = "error_room_locked", errorAdults = "error_adults"
    case errorSpoken = "error_spoken", errorLink = "error_link", errorUpdate = "error_update"
    case errorOtherServer = "error_other_server", errorEntry = "error_entry", errorSpace = "error_space"
    case errorNote = "error_note", errorOther = "error_other", friendsBlocked = "friends_blocked"
    case friendsUnread = "friends_unread", friendsRemove = "friends_remove", friendsBlock = "friends_block"
    case friendsUnblock = "friends_unblock", notVerified = "not_verified", chatAttach = "chat_attach", chatOpen = "chat_open"
    case takeBack = "take_back", callLasted = "call_lasted", plain, callConnected = "call_connected"
    case callCamera = "call_camera", callCameraOff = "call_camera_off", callScreen = "call_screen"
    case callScreenOff = "call_screen_off", callQualityGood = "call_quality_good", callQualityFair = "call_quality_fair"
    case callQualityPoor = "call_quality_poor", roomMembers = "room_members", strangersActive = "strangers_active"
    case strangersUnderstood = "strangers_understood", strangersCommon = "strangers_common"
    case strangersBurned = "strangers_burned", strangersWords = "strangers_words", wipe, salvage, erase
    case troubleKeyLostErase = "trouble_key_lost_erase"
}
