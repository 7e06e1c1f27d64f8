import Sidetone

/// What a person does about a trouble.
public enum Remedy: Sendable { case tryAgain, openSettings, typeAgain, signIn, compareNumbers, salvage, erase, wait }

/// What keeps a person from going on: each has a screen that says what to do.
public enum Trouble: CaseIterable, Sendable {
    case microphoneForbidden, cameraForbidden, noServer, wrongPassword, keyChanged, signedOut, suspended, phoneLocked, keyLost
    case storeDamaged, storeFull, outdated, other

    public init(_ code: ErrorCode) {
        self =
            switch code {
            case .offline, .serverAddress, .certificate, .unavailable: .noServer
            case .wrongLogin: .wrongPassword
            case .keyChanged: .keyChanged
            case .signedOut: .signedOut
            case .suspended: .suspended
            case .vaultLocked: .phoneLocked
            case .vaultLost, .storeWrongKey: .keyLost
            case .storeDamaged: .storeDamaged
            case .storeFull: .storeFull
            case .storeTooNew, .outdated: .outdated
            default: .other
            }
    }

    /// What it is called, what to do about it, and the button for that.
    public var face: (title: Word, advice: Word, remedy: Remedy) {
        switch self {
        case .microphoneForbidden: (.troubleMicrophone, .troubleMicrophoneText, .openSettings)
        case .cameraForbidden: (.troubleCamera, .troubleCameraText, .openSettings)
        case .noServer: (.troubleServer, .troubleServerText, .tryAgain)
        case .wrongPassword: (.troublePassword, .troublePasswordText, .typeAgain)
        case .keyChanged: (.troubleKey, .troubleKeyText, .compareNumbers)
        case .signedOut: (.troubleSignedOut, .troubleSignedOutText, .signIn)
        case .suspended: (.troubleSuspended, .troubleSuspendedText, .wait)
        case .phoneLocked: (.troubleLocked, .troubleLockedText, .tryAgain)
        case .keyLost: (.troubleKeyLost, .troubleKeyLostText, .erase)
        case .storeDamaged: (.troubleDamaged, .troubleDamagedText, .salvage)
        case .storeFull: (.troubleFull, .troubleFullText, .tryAgain)
        case .outdated: (.troubleOutdated, .troubleOutdatedText, .wait)
        case .other: (.troubleOther, .troubleOtherText, .tryAgain)
        }
    }
}

extension Remedy {
    /// What its button says; nothing where only waiting helps.
    public var word: Word? {
        switch self {
        case .tryAgain: .tryAgain
        case .openSettings: .openSettings
        case .signIn: .signIn
        case .typeAgain: .typeAgain
        case .compareNumbers: .compare
        case .salvage: .salvage
        case .erase: .erase
        case .wait: nil
        }
    }
}

extension Phrase {
    /// What to say about something that did not work.
    public init(_ error: SidetoneError) {
        let word: Word? =
            switch error.code {
            case .offline: .errorOffline
            case .wrongLogin: .errorLogin
            case .nameTaken: .errorNameTaken
            case .nameInvalid: .errorName
            case .emailTaken: .errorEmailTaken
            case .emailInvalid: .errorEmail
            case .noSuchPerson: .errorNobody
            case .already: .errorAlready
            case .keyChanged: .errorKey
            case .away: .errorAway
            case .busy: .errorBusy
            case .notACode, .notAKey: .errorCode
            case .fileUnreadable, .fileMalformed: .errorFile
            case .notFriends: .errorNotFriends
            case .noSuchRoom, .codeOver: .errorRoomOver
            case .roomFull: .errorRoomFull
            case .roomLocked, .banned, .wrongPolicy: .errorRoomLocked
            case .adultsOnly, .strangersAdultsOnly: .errorAdults
            case .wrongCode, .notASpokenCode: .errorSpoken
            case .notALink, .damagedLink: .errorLink
            case .otherServer: .errorOtherServer
            case .newerRoom, .outdated, .unknownPolicy: .errorUpdate
            case .storeFull, .exportFolder: .errorSpace
            case .noteEmpty: .errorNote
            case .badEntry: .errorEntry
            default: error.retryable ? .errorWait : nil
            }
        self = word.map { Phrase($0) } ?? Phrase(.errorOther)
    }
}
