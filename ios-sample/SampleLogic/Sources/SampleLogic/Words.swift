/// Everything the app says, by the name it has in Localizable.xcstrings and in the Android sample.
public enum Word: String, CaseIterable, Sendable {
    case appName = "app_name", opening, loading, done, stop, dismiss, tryAgain = "try_again", typeAgain = "type_again"
    case openSettings = "open_settings", salvage, erase, accept, decline, send, you, somebody, friends, rooms, strangers
    case settings, online, away, offline, offlineText = "offline_text", offlineChat = "offline_chat"
    case offlineRoom = "offline_room", welcomeText = "welcome_text", welcomePromise = "welcome_promise"
    case newAccount = "new_account", haveAccount = "have_account", name, email, password, register, signIn = "sign_in"
    case signOut = "sign_out", wipe, friendsEmpty = "friends_empty", friendsEmptyText = "friends_empty_text"
    case addFriend = "add_friend", addText = "add_text", nameOrLink = "name_or_link", askFriend = "ask_friend", scan, asked
    case askedName = "asked_name", yourCode = "your_code", yourCodeText = "your_code_text", shareLink = "share_link"
    case wantsFriend = "wants_friend", friendsRemove = "friends_remove", friendsBlock = "friends_block"
    case friendsBlocked = "friends_blocked", friendsUnblock = "friends_unblock", callName = "call_name", verify, verified
    case notVerified = "not_verified", unverify, safetyNumber = "safety_number", compare, compareText = "compare_text"
    case scanTheirs = "scan_theirs", numbersMatch = "numbers_match", codesMatch = "codes_match"
    case codesDiffer = "codes_differ", keyChanged = "key_changed", keyChangedText = "key_changed_text"
    case keyChangedBanner = "key_changed_banner", acceptKey = "accept_key", typing, chatEmpty = "chat_empty"
    case chatEmptyText = "chat_empty_text", write, sendImage = "send_image", sendFile = "send_file", record, recording
    case dropNote = "drop_note", anImage = "an_image", voiceNote = "voice_note", play, pause, goOn = "go_on", edited
    case takenBack = "taken_back", takeBack = "take_back", expired, timerChanged = "timer_changed"
    case messageQueued = "message_queued", messageSent = "message_sent", messageDelivered = "message_delivered"
    case messageRead = "message_read", messageFailed = "message_failed", fileOffered = "file_offered"
    case fileWaiting = "file_waiting", fileMoving = "file_moving", filePaused = "file_paused", fileSpace = "file_space"
    case fileFailed = "file_failed", chatOpen = "chat_open", call, answer, hangUp = "hang_up", mute, unmute, shrink
    case callIncoming = "call_incoming", callRinging = "call_ringing", callConnecting = "call_connecting"
    case callConnected = "call_connected", callLasted = "call_lasted", callReconnecting = "call_reconnecting"
    case callCamera = "call_camera", callCameraOff = "call_camera_off", callQualityGood = "call_quality_good"
    case callQualityFair = "call_quality_fair", callQualityPoor = "call_quality_poor", callScreen = "call_screen"
    case callScreenOff = "call_screen_off", secondsLeft = "seconds_left", theyAreMuted = "they_are_muted"
    case routeDirect = "route_direct", routeRelayed = "route_relayed", endOver = "end_over", endDeclined = "end_declined"
    case endBusy = "end_busy", endMissed = "end_missed", endUnanswered = "end_unanswered"
    case endUnreachable = "end_unreachable", endLost = "end_lost", endNotTrusted = "end_not_trusted"
    case endSignedOut = "end_signed_out", aRoom = "a_room", aStranger = "a_stranger", joinRoom = "join_room"
    case joinRoomText = "join_room_text", codeOrLink = "code_or_link", join, openRoom = "open_room", roomName = "room_name"
    case pushToTalk = "push_to_talk", openMicrophones = "open_microphones", recentRooms = "recent_rooms", asName = "as_name"
    case forget, leave, groupPhrase = "group_phrase", groupPhraseText = "group_phrase_text", spokenCode = "spoken_code"
    case openCode = "open_code", roomAlone = "room_alone", memberReaching = "member_reaching", memberNoWay = "member_no_way"
    case memberHeard = "member_heard", memberWaiting = "member_waiting", speaks, hand, raiseHand = "raise_hand"
    case lowerHand = "lower_hand", letIn = "let_in", putOut = "put_out", muteAsked = "mute_asked", missed
    case holdToTalk = "hold_to_talk", floorIdle = "floor_idle", floorTaken = "floor_taken"
    case floorRequesting = "floor_requesting", floorQueued = "floor_queued", floorSpeaking = "floor_speaking"
    case floorReserved = "floor_reserved", floorCollision = "floor_collision", floorQueueFull = "floor_queue_full"
    case floorUnanswered = "floor_unanswered", floorEnding = "floor_ending", roomEndClosed = "room_end_closed"
    case roomEndOut = "room_end_out", roomEndLost = "room_end_lost", lobbyText = "lobby_text", nickname, interests
    case mediaText = "media_text", mediaVoice = "media_voice", adult, adultText = "adult_text", search
    case noticeTitle = "notice_title", noticeText = "notice_text", searching, searchWorking = "search_working"
    case searchNobody = "search_nobody", searchNotAgain = "search_not_again", searchRefused = "search_refused", found
    case nothingCommon = "nothing_common", meet, waitingForThem = "waiting_for_them", skip, block, hide, hear
    case hearNot = "hear_not", goDirect = "go_direct", compareWords = "compare_words", burned, partedWe = "parted_we"
    case partedThey = "parted_they", partedBlocked = "parted_blocked", partedLost = "parted_lost"
    case partedImposter = "parted_imposter", burnTexts = "burn_texts", burnImages = "burn_images", burnNotes = "burn_notes"
    case burnKeys = "burn_keys", burnLinks = "burn_links", ofCount = "of_count", report, reportWhy = "report_why"
    case reportBot = "report_bot", reportSpam = "report_spam", reportAbuse = "report_abuse", reportNudity = "report_nudity"
    case reportMinor = "report_minor", reportOther = "report_other", reported, server, serverText = "server_text", address
    case useServer = "use_server", woken, notWoken = "not_woken", theme, themeSystem = "theme_system"
    case themeLight = "theme_light", themeDark = "theme_dark", privacy, routes, routeAny = "route_any"
    case routeDirectOnly = "route_direct_only", routeRelayOnly = "route_relay_only", routesText = "routes_text", addresses
    case addressesText = "addresses_text", addressDirect = "address_direct", addressAccepted = "address_accepted"
    case addressVerified = "address_verified", addressNever = "address_never", readReceipts = "read_receipts"
    case readReceiptsText = "read_receipts_text", receipts, receiptsText = "receipts_text", askServer = "ask_server"
    case receiptsNone = "receipts_none", receiptDirect = "receipt_direct", receiptRelay = "receipt_relay"
    case receiptKept = "receipt_kept", receiptErased = "receipt_erased", receiptLasting = "receipt_lasting", entries, keys
    case figureServer = "figure_server", export, exportText = "export_text", passphrase, exportNow = "export_now", exported
    case account, deleteAccount = "delete_account", deleteText = "delete_text", wipeText = "wipe_text"
    case deleteReally = "delete_really", keepAccount = "keep_account", troubleMicrophone = "trouble_microphone"
    case troubleMicrophoneText = "trouble_microphone_text", troubleCamera = "trouble_camera"
    case troubleCameraText = "trouble_camera_text", troubleServer = "trouble_server"
    case troubleServerText = "trouble_server_text", troublePassword = "trouble_password"
    case troublePasswordText = "trouble_password_text", troubleKey = "trouble_key", troubleKeyText = "trouble_key_text"
    case troubleSignedOut = "trouble_signed_out", troubleSignedOutText = "trouble_signed_out_text"
    case troubleSuspended = "trouble_suspended", troubleSuspendedText = "trouble_suspended_text"
    case troubleLocked = "trouble_locked", troubleLockedText = "trouble_locked_text", troubleKeyLost = "trouble_key_lost"
    case troubleKeyLostText = "trouble_key_lost_text", troubleDamaged = "trouble_damaged"
    case troubleDamagedText = "trouble_damaged_text", troubleFull = "trouble_full", troubleFullText = "trouble_full_text"
    case troubleOutdated = "trouble_outdated", troubleOutdatedText = "trouble_outdated_text", troubleOther = "trouble_other"
    case troubleOtherText = "trouble_other_text", errorOffline = "error_offline", errorLogin = "error_login"
    case errorNameTaken = "error_name_taken", errorName = "error_name", errorEmailTaken = "error_email_taken"
    case errorEmail = "error_email", errorNobody = "error_nobody", errorNotFriends = "error_not_friends"
    case errorAlready = "error_already", errorKey = "error_key", errorAway = "error_away", errorBusy = "error_busy"
    case errorWait = "error_wait", errorCode = "error_code", errorFile = "error_file", errorRoomOver = "error_room_over"
    case errorRoomFull = "error_room_full", errorRoomLocked = "error_room_locked", errorAdults = "error_adults"
    case errorSpoken = "error_spoken", errorLink = "error_link", errorUpdate = "error_update"
    case errorOtherServer = "error_other_server", errorEntry = "error_entry", errorSpace = "error_space"
    case errorNote = "error_note", errorOther = "error_other", unread, members, burnedCount = "burned_count"
    case strangersActive = "strangers_active", chatAttach = "chat_attach", plain
}
